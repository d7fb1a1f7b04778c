"""A proxy before the portal takes the Upgrade header away: the page says it, until it is mended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from moonlight_jupyter.stream import StreamHandler
from playwright.sync_api import expect

from tests.support.chromium import chromium, keep, person
from tests.support.stripping import StrippingProxy
from tests.support.waiting import PATIENCE

from .conftest import Call
from .node import Node
from .process import Portal
from .sessions import Records
from .test_who_may import HTML, WEBSOCKET

STRIPPED = {name: value for name, value in WEBSOCKET.items() if name.startswith("Sec-")}


def desktop(session_id: str) -> str:
    return f"/moonlight/sessions/{session_id}/desktop"


async def test_a_handshake_without_upgrade_is_told_from_other_requests(
    call: Call, recorded: str, node: Node
) -> None:
    for path in (
        desktop(recorded) + "/echo",
        desktop(recorded) + "/websocket-check",
        f"/moonlight/signaling?session={recorded}",
    ):
        answer = await call("GET", path, headers=STRIPPED)
        assert (answer.status, answer.code) == (426, "no_websocket"), path
        assert answer.header("upgrade") == "websocket"
        page = await call("GET", path, headers={**STRIPPED, **HTML})
        assert page.status == 426 and b"Upgrade" in page.body
    assert node.host.heads == []


async def test_nothing_is_remembered_of_sessions_that_are_not_there(
    call: Call, records: Records
) -> None:
    """Or whoever is logged in fills the memory and the log of a server that others use."""
    records.add()
    nobodys = [f"ml-root-aaaaaaaaa{sign}" for sign in "abc"]
    for session_id in nobodys:
        answer = await call("GET", desktop(session_id) + "/echo", headers=STRIPPED)
        assert answer.status == 404
    assert StreamHandler._told.isdisjoint(nobodys)


async def test_the_check_opens_for_those_who_may_see_the_desktop(
    call: Call, jp_ws_fetch: Any, recorded: str, node: Node
) -> None:
    path = desktop(recorded) + "/websocket-check"
    socket = await jp_ws_fetch(*path.strip("/").split("/"))
    socket.close()
    assert await asyncio.wait_for(socket.read_message(), PATIENCE) is None
    stranger = {**WEBSOCKET, "Origin": "http://127.0.0.1"}
    assert (await call("GET", path, headers=stranger, login=False)).status == 403
    unknown = desktop("ml-root-aaaaaaaaaa") + "/websocket-check"
    assert (await call("GET", unknown, headers=WEBSOCKET)).status == 404
    assert node.host.heads == []


@pytest.mark.parametrize("locale", ["en-US", "ko-KR"])
def test_the_page_says_it_and_shows_the_picture_when_it_is_mended(
    locale: str, tmp_path: Path, sessions_dir: Path, records: Records, node: Node
) -> None:
    session_id = records.add(gateway=node.gateway)
    with (
        Portal(tmp_path, sessions_dir) as portal,
        StrippingProxy(portal.port) as proxy,
        chromium() as browser,
        person(browser, locale) as context,
    ):
        page = context.new_page()
        base = f"http://127.0.0.1:{proxy.port}{portal.base_url}moonlight/sessions/{session_id}/"
        page.goto(f"{base}?token={portal.token}")
        banner = page.get_by_test_id("connection-banner")
        expect(banner).to_have_attribute("data-phase", "blocked", timeout=PATIENCE * 1000)
        words = {"en-US": "a WebSocket and none was opened", "ko-KR": "WebSocket을 요청했지만"}
        expect(banner).to_contain_text(words[locale])
        keep(page, f"stripped-{locale}")
        assert portal.log().count("has no Upgrade header") == 1
        proxy.strips = False
        expect(banner).to_be_hidden(timeout=PATIENCE * 1000)
