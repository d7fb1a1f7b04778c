"""A desktop's picture by WebRTC over a line with a firewall, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page

from tests.browser.desktop import wait_for_desktop
from tests.browser.viewer import FRAME, close_tool, open_tool
from tests.cluster.users import TestUser, ensure_users, remove_users, unique_names
from tests.support.waiting import wait_for
from tests.turn.far import Far, far

_META = "meta[name=moonlight-transport]"


@pytest.fixture
def user() -> Iterator[TestUser]:
    names = unique_names(1)
    try:
        yield ensure_users(names)[0]
    finally:
        remove_users(names)


def inner(page: Page) -> Frame:
    frame = page.locator(FRAME).element_handle().content_frame()
    assert frame
    return frame


def see_transport(page: Page, words: str) -> None:
    """In the dialog, which is told anew every second or so."""
    open_tool(page, "connection")
    facts = page.get_by_role("dialog").locator(".facts div", has_text="Transport")
    wait_for(lambda: " ".join(facts.inner_text().split()).startswith(f"Transport {words}"))
    close_tool(page)


def by_turn(far: Far) -> None:
    page = far.open()
    wait_for_desktop(page)
    wait_for(lambda: "relay" in inner(page).evaluate("stream_client.path"))
    see_transport(page, "WebRTC through the site’s relay (TURN)")
    page.close()


def blocked(far: Far) -> None:
    """In the ten seconds that it takes: a clock that jumps would end its negotiation as well."""
    page = far.open()
    fallen = f"{_META}[content=fallback]"
    page.frame_locator(FRAME).locator(fallen).wait_for(state="attached")
    wait_for_desktop(page)
    see_transport(page, "WebSocket WebRTC did not come through")
    page.close()


def test_where_turns_port_alone_is_open_the_picture_comes_by_it_and_where_none_is_by_websocket(
    user: TestUser, tmp_path: Path
) -> None:
    with far(user, tmp_path) as one:
        one.line.set(udp=[one.turn_port])
        one.there(by_turn, one)
        one.line.set(udp=[])
        one.there(blocked, one)

        session = one.session
        told = json.loads((session.directory / "spec.json").read_text())["sunshine"]
        secrets = [one.turn.secret, told["turn_credential"], told["turn_username"]]
        seen = [session.log(), session.log("stream"), *session.processes().values()]
        assert not [secret for secret in secrets if any(secret in text for text in seen)]
