"""By which transport selkies' picture comes: it follows who comes, one for all pages at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from moonlight_spawner.agent.hosts.selkies_transport import (
    SIGNALING_PATHS,
    SWITCH,
    WEBRTC,
    WEBSOCKET_PATH,
    WEBSOCKETS,
    Transport,
)
from moonlight_spawner.relay.upstream import Target, UpstreamError

from tests.support.waiting import PATIENCE

SIGNALING = SIGNALING_PATHS[0]


class Selkies:
    """Switches as the real one does (`stream_server.py`, `webrtc_mode.py` of 2.1.0)."""

    def __init__(self) -> None:
        self.mode = WEBSOCKETS
        self.switched: list[str] = []
        self.looks = [503, 503, 204]
        self.refuses = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = 404
        if head.startswith(f"post {SWITCH} "):
            size = int(head.split("content-length:")[1].split()[0])
            self.switched.append(json.loads(await reader.readexactly(size))["mode"])
            status = 400 if self.refuses else 200
        elif head.startswith(f"get {SIGNALING} "):
            status = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        writer.write(b"HTTP/1.1 %d x\r\nconnection: close\r\n" % status)
        writer.write(b"\r\n" if status == 204 else b"content-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def beside(place: Path) -> AsyncIterator[tuple[Selkies, Transport]]:
    selkies = Selkies()
    server = await asyncio.start_unix_server(selkies.serve, str(place / "socket"))
    try:
        yield selkies, Transport(lambda: Target(path=str(place / "socket")))
    finally:
        server.close()


def checked(place: Path, check: Callable[[Selkies, Transport], Awaitable[None]]) -> None:
    async def run() -> None:
        async with beside(place) as (selkies, transport):
            await asyncio.wait_for(check(selkies, transport), PATIENCE)

    asyncio.run(run())


def test_who_negotiates_webrtc_gets_it_once_it_takes_sessions(tmp_path: Path) -> None:
    async def check(selkies: Selkies, transport: Transport) -> None:
        assert transport.proposed == WEBRTC
        async with transport.stream(f"{SIGNALING}/"):
            assert selkies.looks == [204]
            async with transport.stream(SIGNALING):
                assert selkies.switched == [WEBRTC]

    checked(tmp_path, check)


def test_who_comes_by_websocket_gets_that_and_so_do_all_until_they_have_gone(
    tmp_path: Path,
) -> None:
    async def check(selkies: Selkies, transport: Transport) -> None:
        async with transport.stream(SIGNALING):
            async with transport.stream(WEBSOCKET_PATH):
                assert selkies.switched == [WEBRTC, WEBSOCKETS]
                assert transport.proposed == WEBSOCKETS
                async with transport.stream(WEBSOCKET_PATH), transport.stream(SIGNALING):
                    assert selkies.switched == [WEBRTC, WEBSOCKETS]
            assert transport.proposed == WEBRTC
            selkies.looks = [204]
            async with transport.stream(SIGNALING):
                assert selkies.switched == [WEBRTC, WEBSOCKETS, WEBRTC]

    checked(tmp_path, check)


@pytest.mark.parametrize("looks, refuses", [([503, 409], False), ([204], True)])
def test_where_it_cannot_begin_the_websocket_is_left_until_selkies_starts_again(
    tmp_path: Path, looks: list[int], refuses: bool
) -> None:
    async def check(selkies: Selkies, transport: Transport) -> None:
        selkies.looks, selkies.refuses = looks, refuses
        with pytest.raises(UpstreamError):
            async with transport.stream(SIGNALING):
                raise AssertionError("it was passed on")
        assert transport.proposed == WEBSOCKETS
        selkies.refuses = False
        async with transport.stream(WEBSOCKET_PATH):  # whatever it does now
            assert selkies.switched == [WEBRTC, WEBSOCKETS]
        transport.begins()
        assert transport.proposed == WEBRTC

    checked(tmp_path, check)


def test_other_paths_switch_nothing(tmp_path: Path) -> None:
    async def check(selkies: Selkies, transport: Transport) -> None:
        async with transport.stream("/api/other"):
            assert selkies.switched == []

    checked(tmp_path, check)
