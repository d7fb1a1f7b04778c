"""Starts of streams by a request that is no WebSocket take their turn, too (moonlight-web-stream v3)."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.agent.gateway import Gateway
from moonlight_spawner.agent.gateway.door import Door
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.relay.upstream import Target, call

from tests.support.waiting import PATIENCE

from .gateway_process import SESSION, TOKEN

pytestmark = pytest.mark.usefixtures("each_loop")

START, OTHER = "/api/host/stream/webrtc", "/api/host/stream/webrtc/1"
HEADERS = [(b"authorization", b"Bearer " + TOKEN.encode()), (b"host", b"portal")]


class V3:
    """Answers when it is told to; what it was asked, in that order."""

    one_start_at_a_time = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer_starts = asyncio.Event()

    def around_stream(self, path: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def starts_stream(self, method: str, path: str) -> bool:
        return (method, path) == ("POST", START)

    def begun(self, kind: int, data: bytes) -> bool:
        return True

    def health(self) -> dict[str, Any]:
        return {}

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        return ""

    def answer(self, path: str) -> None:
        return None

    absence = "host_away"

    async def control(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        return 404, {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(" ".join(head.decode().split()[:2]))
        status = b"500 Failed" if len(self.asked) == 1 else b"201 Created"
        if head.startswith(b"POST"):
            await self.answer_starts.wait()
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


def test_the_second_start_waits_for_the_answer_to_the_first_and_nothing_else_does(
    tmp_path: Path,
) -> None:
    async def check() -> None:
        host, place = V3(), str(tmp_path / "host")
        server = await asyncio.start_unix_server(host.serve, place)
        tls, _ = make_certificate(tmp_path, SESSION)
        gateway = Gateway(Door(TOKEN, SESSION), lambda: Target(path=place), tls, host=host)
        await gateway.start("127.0.0.1")
        near = tmp_path / "gateway"
        gateway.open_near(near)
        target = Target(path=str(near))

        async def ask(method: str, path: str) -> int:
            body = b"v=0" if method == "POST" else None
            return (await call(target, method, path, HEADERS, body, PATIENCE))[0]

        try:
            first = asyncio.ensure_future(ask("POST", START))
            while not host.asked:
                await asyncio.sleep(0.01)
            second = asyncio.ensure_future(ask("POST", START))
            assert await ask("OPTIONS", START) == 201
            assert await ask("PATCH", OTHER) == 201
            while gateway._passage._turns.waiting == 0:
                await asyncio.sleep(0.01)
            assert host.asked == [f"POST {START}", f"OPTIONS {START}", f"PATCH {OTHER}"]
            host.answer_starts.set()  # the first one fails, which is the end of it, too
            assert await first == 500 and await second == 201
            assert host.asked[3:] == [f"POST {START}"]
        finally:
            await gateway.stop()
            server.close()

    asyncio.run(asyncio.wait_for(check(), PATIENCE))
