"""A small client of VNC (RFC 6143, with Tight as TigerVNC and noVNC speak it): it asks for the next picture
as soon as one is there, and takes rectangles apart only as far as their lengths."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

from .probe import Probe

_RAW, _COPY_RECT, _TIGHT = 0, 1, 7
# noVNC's own: JPEG of quality 6, zlib of level 2.
_ENCODINGS = (_TIGHT, _COPY_RECT, _RAW, -32 + 6, -256 + 2)
_NO_SECURITY = 1
# 32 bits for a pixel, little endian, blue first: Tight leaves the fourth byte out.
_PIXELS = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
_PIXEL_BYTES, _TIGHT_PIXEL_BYTES = 4, 3
_PLAIN_BYTES = 12  # as few are not compressed
_PALETTE, _FILTERED = 1, 0x4
_FILL, _JPEG = 0x8, 0x9
_MOST_BYTES = 64 << 20


class RfbProbe(Probe):
    """At the Unix socket of a VNC server of our own, which asks for no password there."""

    def __init__(self, socket: Path):
        super().__init__()
        self._socket = socket
        self.size = (0, 0)
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def join(self) -> None:
        self._reader, self._writer = await asyncio.open_unix_connection(str(self._socket))
        version = await self._take(12)
        if not version.startswith(b"RFB 003."):
            raise ConnectionError(f"it speaks no VNC: {version!r}")
        self._writer.write(b"RFB 003.008\n")
        kinds = await self._take((await self._take(1))[0])
        if _NO_SECURITY not in kinds:
            raise ConnectionError(f"it wants a login of the kinds {list(kinds)}")
        self._writer.write(bytes([_NO_SECURITY]))
        if await self._take(4) != bytes(4):
            raise ConnectionError("it refuses the connection")
        self._writer.write(b"\x01")  # shared
        width, height = struct.unpack(">HH16x", await self._take(20))
        self.size = (width, height)
        await self._take(struct.unpack(">I", await self._take(4))[0])  # its name
        self._writer.write(struct.pack(">Bxxx", 0) + _PIXELS)
        self._writer.write(struct.pack(f">BxH{len(_ENCODINGS)}i", 2, len(_ENCODINGS), *_ENCODINGS))
        self._ask(incremental=False)
        await self.press(False)

    async def read(self) -> None:
        while True:
            kind = (await self._take(1))[0]
            if kind == 0:
                (rectangles,) = struct.unpack(">xH", await self._take(3))
                # The next is asked for while this one comes, as noVNC and TigerVNC do.
                self._ask(incremental=True)
                for _ in range(rectangles):
                    await self._rectangle()
                self.frame()
            elif kind == 1:  # colours of a map
                _, count = struct.unpack(">xHH", await self._take(5))
                await self._take(6 * count)
            elif kind == 3:  # text that was cut there
                (size,) = struct.unpack(">xxxI", await self._take(7))
                await self._take(size)
            elif kind != 2:  # a bell
                raise ConnectionError(f"it sends a message of the unknown kind {kind}")

    async def leave(self) -> None:
        self._writer.close()

    async def press(self, down: bool) -> None:
        width, height = self.size
        self._writer.write(struct.pack(">BBHH", 5, int(down), width // 2, height // 2))
        await self._writer.drain()

    def _ask(self, incremental: bool) -> None:
        self._writer.write(struct.pack(">BBHHHH", 3, int(incremental), 0, 0, *self.size))

    async def _rectangle(self) -> None:
        _, _, width, height, encoding = struct.unpack(">HHHHi", await self._take(12))
        if encoding == _RAW:
            await self._take(width * height * _PIXEL_BYTES)
        elif encoding == _COPY_RECT:
            await self._take(4)
        elif encoding == _TIGHT:
            await self._tight(width, height)
        else:
            raise ConnectionError(f"it sends the unknown encoding {encoding}")

    async def _tight(self, width: int, height: int) -> None:
        kind = (await self._take(1))[0] >> 4
        if kind == _FILL:
            await self._take(_TIGHT_PIXEL_BYTES)
        elif kind == _JPEG:
            await self._take(await self._length())
        elif kind < _FILL:
            size = width * height * _TIGHT_PIXEL_BYTES
            if kind & _FILTERED and (await self._take(1))[0] == _PALETTE:
                colours = (await self._take(1))[0] + 1
                await self._take(colours * _TIGHT_PIXEL_BYTES)
                size = (width + 7) // 8 * height if colours == 2 else width * height
            await self._take(size if size < _PLAIN_BYTES else await self._length())
        else:
            raise ConnectionError(f"it sends Tight of the unknown kind {kind}")

    async def _length(self) -> int:
        """In one to three bytes, seven bits of it in each but the last."""
        length = 0
        for shift in (0, 7, 14):
            part = (await self._take(1))[0]
            if shift == 14:
                return length | part << shift
            length |= (part & 0x7F) << shift
            if not part & 0x80:
                break
        return length

    async def _take(self, size: int) -> bytes:
        if size > _MOST_BYTES:
            raise ConnectionError(f"it announces {size} bytes")
        try:
            data = await self._reader.readexactly(size)
        except asyncio.IncompleteReadError as e:
            raise ConnectionError("it has ended the connection") from e
        self.received += size
        return data
