"""How a session ended reaches the pages that show it, and nobody else, before its port closes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from moonlight_spawner.agent.gateway import Gateway, last_word
from moonlight_spawner.agent.gateway.door import Door
from moonlight_spawner.agent.node.certificate import make_certificate
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.support.waiting import PATIENCE

from .gateway_process import SESSION, TOKEN
from .wires import UPGRADE

pytestmark = pytest.mark.usefixtures("each_loop")

Listen = Callable[[str], Awaitable[ClientConnection]]


def at_gateway(tmp_path: Path, work: Callable[[Gateway, Door, Listen], Awaitable[None]]) -> None:
    async def run() -> None:
        door = Door(TOKEN, SESSION)
        tls, _ = make_certificate(tmp_path, SESSION)
        gateway = Gateway(door, lambda: None, tls, plain_http=True)
        await gateway.start("127.0.0.1")
        cookie = door.set_cookie(secure=False).split(b";")[0].decode()

        async def listen(token: str) -> ClientConnection:
            shown = ["moonlight-page", f"moonlight-page.{token}"] if token else []
            return await connect(
                f"ws://127.0.0.1:{gateway.port}/node/n1/8/end",
                additional_headers={"Cookie": cookie, "Accept-Language": "en"},
                subprotocols=shown or None,
                ping_interval=None,
            )

        try:
            await asyncio.wait_for(work(gateway, door, listen), PATIENCE)
        finally:
            await gateway.stop()

    asyncio.run(run())


def test_open_pages_are_told_the_reason_and_late_ones_at_once(tmp_path: Path) -> None:
    async def work(gateway: Gateway, door: Door, listen: Listen) -> None:
        open_pages = [await listen(door.page) for _ in range(2)]
        assert open_pages[0].subprotocol == "moonlight-page"
        long = "x" * 70_000
        await gateway.end("You <b>stopped</b> it.", {"notes": long})
        for page in [*open_pages, await listen(door.page)]:
            said = json.loads(await page.recv())
            assert "You &lt;b&gt;stopped&lt;/b&gt; it." in said["page"]
            assert 'data-page="ended"' in said["page"]
            assert said["session"] == {"notes": long}  # which needs a longer frame than 64 KiB
            await page.wait_closed()

    at_gateway(tmp_path, work)


def test_nobody_listens_without_the_pages_token(tmp_path: Path) -> None:
    async def work(gateway: Gateway, door: Door, listen: Listen) -> None:
        for token in ("", "guess"):
            with pytest.raises(InvalidStatus) as refused:
                await listen(token)
            assert refused.value.response.status_code == 403

    at_gateway(tmp_path, work)


def test_a_silent_session_says_something_before_a_proxy_ends_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert last_word._BEAT_SECONDS < 30
    monkeypatch.setattr(last_word, "_BEAT_SECONDS", 0.05)

    async def work(gateway: Gateway, door: Door, listen: Listen) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        cookie = door.set_cookie(secure=False).split(b";")[0].decode()
        head = f"GET /end HTTP/1.1\r\nHost: portal\r\nCookie: {cookie}\r\n{UPGRADE}"
        head += f"Sec-WebSocket-Protocol: moonlight-page, moonlight-page.{door.page}\r\n\r\n"
        writer.write(head.encode())
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(4) == b"\x89\x00" * 2
        writer.close()
        await gateway.end("It ended.")  # and nobody is waited for who has left

    at_gateway(tmp_path, work)
