"""The stream of a real desktop, through the server and the node's gateway."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.session import Session

from .conftest import Call

TOO_QUICK = 4029  # selkies takes one page in half a second
VIDEO_FRAME = 0x04  # first byte of selkies' binary messages with H.264


@pytest.fixture
def sessions_dir(desktop_dir: Path, desktop: Session) -> Path:
    """The server knows the desktop that another process started."""
    return desktop_dir


@pytest.fixture
def page(desktop: Session) -> str:
    return f"/moonlight/sessions/{desktop.session_id}/desktop/"


async def first_frame(fetch: Any, *path: str, **options: Any) -> bytes:
    """Join as the host's own page does: it comes again when the host finds it too quick."""
    while True:
        socket = await fetch(*path, **options)
        frame = await _first_frame(socket)
        socket.close()
        if frame is not None:
            return frame
        assert socket.close_code == TOO_QUICK, "the stream was closed before a picture came"
        await asyncio.sleep(0.2)


async def _first_frame(socket: Any) -> bytes | None:
    settings = {
        **{"displayId": "primary", "framerate": 30},
        **{"initialClientWidth": 800, "initialClientHeight": 600},
    }
    await socket.write_message("SETTINGS," + json.dumps(settings))
    while True:
        message = await socket.read_message()
        if message is None or (isinstance(message, bytes) and message[0] == VIDEO_FRAME):
            return message


async def test_it_is_listed_as_running(api: Call, desktop: Session) -> None:
    session = (await api("GET", f"/sessions/{desktop.session_id}")).json
    assert session["status"] == "running"
    assert [step["state"] for step in session["steps"]] == ["done"] * 6


async def test_its_page_and_all_assets_of_the_page_load(call: Call, page: str) -> None:
    answer = await call("GET", page)
    assert answer.status == 200 and answer.header("content-type").startswith("text/html")
    html = answer.body.decode()
    assert "<title>Selkies</title>" in html
    assets = re.findall(r'(?:src|href)="(?!data:|https?:|#)([^"]+)"', html)
    assert assets
    for asset in assets:
        assert not asset.startswith("/"), "an absolute address would leave the session's path"
        found = await call("GET", page + asset.removeprefix("./"))
        assert (found.status, found.whole) == (200, True), asset
        assert found.body


async def test_head_tells_of_the_page_without_it(call: Call, page: str) -> None:
    head, whole = await call("HEAD", page), await call("GET", page)
    assert (head.status, head.body) == (whole.status, b"")
    assert head.header("content-type") == whole.header("content-type")


async def test_video_comes_by_the_hosts_websocket(jp_ws_fetch: Any, page: str) -> None:
    assert len(await first_frame(jp_ws_fetch, page, "api", "websockets")) > 10


async def test_video_comes_by_the_portals_signaling(jp_ws_fetch: Any, desktop: Session) -> None:
    params = {"session": desktop.session_id}
    assert len(await first_frame(jp_ws_fetch, "moonlight", "signaling", params=params)) > 10


async def test_a_page_that_comes_again_gets_video_again(jp_ws_fetch: Any, page: str) -> None:
    for _ in range(3):
        assert await first_frame(jp_ws_fetch, page, "api", "websockets")
