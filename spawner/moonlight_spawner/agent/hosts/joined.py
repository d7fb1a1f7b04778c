"""A WebSocket as a page has it (RFC 6455), to a streaming host on a Unix socket of the session's own.

It is for one look at the start: a whole library for that would take longer to load than the look takes.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

TEXT, BINARY = 1, 2
_CLOSE, _PING, _PONG = 8, 9, 10
_LAST, _MASKED = 0x80, 0x80
_MOST_BYTES = 64 << 20
# It proves to a server that it is understood, which our own child need not be asked; and a mask guards
# proxies on the way, of which there are none. Both have to be there.
_KEY = "AAAAAAAAAAAAAAAAAAAAAA=="
_MASK = bytes(4)


class Joined:
    """The open WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader = reader
        self._writer = writer

    async def send(self, text: str) -> None:
        await self._send(TEXT, text.encode())

    async def messages(self) -> AsyncIterator[tuple[int, bytes]]:
        """What comes, whole: its kind and its bytes; until the host closes.

        Raises
        ------
        ConnectionError
            A message is larger than any host's.
        """
        kind, begun = 0, b""
        while True:
            try:
                first, second = await self._reader.readexactly(2)
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack(">H", await self._reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack(">Q", await self._reader.readexactly(8))
                if len(begun) + size > _MOST_BYTES:
                    raise ConnectionError(f"a message has {len(begun) + size} bytes")
                data = await self._reader.readexactly(size)
            except asyncio.IncompleteReadError:
                return
            code = first & 0x0F
            if code == _CLOSE:
                return
            if code == _PING:
                await self._send(_PONG, data)
            elif code < _CLOSE:
                kind, begun = code or kind, begun + data
                if first & _LAST:
                    yield kind, begun
                    begun = b""

    async def _send(self, code: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = bytes([_LAST | code, _MASKED | size])
        else:
            head = struct.pack(">BBQ", _LAST | code, _MASKED | 127, size)
        self._writer.write(head + _MASK + data)
        await self._writer.drain()


@asynccontextmanager
async def joined(socket: Path, path: str) -> AsyncIterator[Joined]:
    """Open one, and close it.

    Raises
    ------
    OSError
        Nobody is there, or who is there takes no WebSocket at ``path``.
    """
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n\r\n"
        writer.write(head.encode())
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as e:
            raise ConnectionError("it does not speak HTTP") from e
        if answer.split(b" ", 2)[1:2] != [b"101"]:
            first = answer.partition(b"\r\n")[0].decode("latin-1")
            raise ConnectionError(f"it takes no WebSocket at {path}: {first}")
        connection = Joined(reader, writer)
        yield connection
        await connection._send(_CLOSE, struct.pack(">H", 1000))
    finally:
        writer.close()
