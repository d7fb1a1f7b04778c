"""The WebSocket by which the agent looks at a stream: against a server that others have written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from moonlight_spawner.agent.hosts.joined import BINARY, TEXT, Joined, joined
from websockets.asyncio.server import ServerConnection, unix_serve

from tests.support.waiting import PATIENCE

Host = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def joined_to(host: Host, directory: Path) -> AsyncIterator[Joined]:
    path = directory / "host.sock"
    async with unix_serve(host, str(path), max_size=None), joined(path, "/stream") as connection:
        yield connection


async def heard(connection: Joined) -> list[tuple[int, bytes]]:
    async def listen() -> list[tuple[int, bytes]]:
        return [message async for message in connection.messages()]

    return await asyncio.wait_for(listen(), PATIENCE)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1 << 20])
def test_what_is_said_comes_whole_both_ways(tmp_path: Path, size: int) -> None:
    async def echo(host: ServerConnection) -> None:
        text = await host.recv()
        assert isinstance(text, str) and text == "x" * size
        await host.send(text)
        await host.send(text.encode())

    async def look() -> None:
        async with joined_to(echo, tmp_path) as connection:
            await connection.send("x" * size)
            assert await heard(connection) == [(TEXT, b"x" * size), (BINARY, b"x" * size)]

    asyncio.run(look())


def test_parts_are_one_message_and_a_ping_between_them_is_answered(tmp_path: Path) -> None:
    answered = []

    async def speak(host: ServerConnection) -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one "
            await asyncio.wait_for(await host.ping(b"there?"), PATIENCE)
            answered.append(True)
            yield b"two"

        await host.send(parts())
        await host.send("end")

    async def look() -> None:
        async with joined_to(speak, tmp_path) as connection:
            assert await heard(connection) == [(BINARY, b"one two"), (TEXT, b"end")]

    asyncio.run(look())
    assert answered


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"", b"SSH-2.0\r\n", b"x" * 99_999]
)
def test_who_takes_no_websocket_is_an_error(tmp_path: Path, answer: bytes) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async def look() -> None:
        path = tmp_path / "host.sock"
        async with await asyncio.start_unix_server(refuse, str(path)):
            async with joined(path, "/stream"):
                pass

    with pytest.raises(ConnectionError):
        asyncio.run(look())


def test_nobody_there_is_an_error(tmp_path: Path) -> None:
    async def look() -> None:
        async with joined(tmp_path / "host.sock", "/"):
            pass

    with pytest.raises(OSError):
        asyncio.run(look())
