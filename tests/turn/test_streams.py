"""A desktop's picture by WebRTC over a line with a firewall, in a real browser."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Frame, Page

from tests.agent.sessions import AgentSession, settings, start_agent
from tests.browser.desktop import wait_for_desktop
from tests.browser.viewer import FRAME, close_tool, open_tool
from tests.cluster.users import TestUser, ensure_users, remove_users, run_as, unique_names
from tests.support.chromium import chromium, person
from tests.support.link import Link, link
from tests.support.namespaces import NetworkNamespace, network_namespace
from tests.support.waiting import wait_for
from tests.turn.coturn import Coturn, coturn

NODE, USER = "10.77.1.1", "10.77.1.2"
_META = "meta[name=moonlight-transport]"
# What the page would wait for a connection.
PATIENCE_OF_THE_PAGE_MS = 11_000


@pytest.fixture
def user() -> Iterator[TestUser]:
    names = unique_names(1)
    try:
        yield ensure_users(names)[0]
    finally:
        remove_users(names)


@dataclass
class Far:
    """A node and a user with a line between them, all done in the user's name space."""

    session: AgentSession
    turn: Coturn
    line: Link
    context: BrowserContext

    @property
    def url(self) -> str:
        gateway = self.session.status.gateway
        assert gateway
        return f"https://{NODE}:{gateway.port}/"

    def open(self, moved_clock: bool = False) -> Page:
        page = self.context.new_page()
        if moved_clock:
            page.clock.install()
        page.goto(self.url)
        return page


@contextlib.contextmanager
def far(user: TestUser, directory: Path) -> Iterator[tuple[NetworkNamespace, Far]]:
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(network_namespace())
        here = stack.enter_context(network_namespace())
        line = stack.enter_context(link(node, NODE, here, USER))
        there = contextlib.ExitStack()
        stack.callback(lambda: node.inside(there.close))
        turn = node.inside(there.enter_context, coturn(directory, NODE))
        secret = user.home / "turn-secret"  # he launches for himself
        run_as(user, ["tee", str(secret)], input=turn.secret, check=True)
        env = settings(
            user,
            webrtc="1",
            gateway_address="0.0.0.0",
            turn_uris=json.dumps(turn.uris),
            turn_secret_file=str(secret),
        )
        session = node.inside(start_agent, user, env=env)
        stack.callback(session.close)
        session.wait_running()
        browsing = contextlib.ExitStack()
        stack.callback(lambda: here.inside(browsing.close))

        def browse() -> BrowserContext:
            browser = browsing.enter_context(chromium())
            return browsing.enter_context(person(browser, ignore_https_errors=True))

        yield here, Far(session, turn, line, here.inside(browse))


def inner(page: Page) -> Frame:
    frame = page.locator(FRAME).element_handle().content_frame()
    assert frame
    return frame


def transport(page: Page) -> str:
    """As the dialog has it."""
    open_tool(page, "connection")
    facts = page.get_by_role("dialog").locator(".facts div", has_text="Transport")
    text = " ".join(facts.inner_text().split())
    close_tool(page)
    return text


def by_turn(far: Far) -> None:
    page = far.open()
    wait_for_desktop(page)
    wait_for(lambda: "relay" in inner(page).evaluate("stream_client.path"))
    assert transport(page) == "Transport WebRTC through the site’s relay (TURN)"
    page.close()


def blocked(far: Far) -> None:
    page = far.open(moved_clock=True)

    def fell_back() -> bool:
        if inner(page).evaluate(f"document.querySelector('{_META}')?.content") == "fallback":
            return True
        page.clock.fast_forward(PATIENCE_OF_THE_PAGE_MS)
        return False

    wait_for(fell_back, interval=0.5)
    wait_for_desktop(page)
    assert transport(page).startswith("Transport WebSocket WebRTC did not come through")
    page.close()


def test_where_turns_port_alone_is_open_the_picture_comes_by_it_and_where_none_is_by_websocket(
    user: TestUser, tmp_path: Path
) -> None:
    with far(user, tmp_path) as (here, one):
        session, turn = one.session, one.turn
        answer = here.inside(
            one.context.request.post, f"{one.url}login", form={"token": session.token}
        )
        assert answer.ok
        port = int(turn.uris[0].split(":")[2].partition("?")[0])
        one.line.set(udp=[port])
        here.inside(by_turn, one)
        one.line.set(udp=[])
        here.inside(blocked, one)

        credential = json.loads((session.directory / "spec.json").read_text())["sunshine"]
        secrets = [turn.secret, credential["turn_credential"], credential["turn_username"]]
        told = [session.log(), session.log("stream"), *session.processes().values()]
        assert not [secret for secret in secrets if any(secret in text for text in told)]
