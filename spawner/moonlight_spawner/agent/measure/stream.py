"""A client of selkies' stream: it joins, acknowledges what comes, and clicks, as the page does."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path

from ..hosts.joined import BINARY, Joined, joined
from .probe import Probe

_VIDEO = 0x04
_HEAD_BYTES = 12


class StreamProbe(Probe):
    """At the socket of a streaming host of our own."""

    def __init__(self, socket: Path, path: str, size: tuple[int, int], fps: int):
        super().__init__()
        self._socket = socket
        self._path = path
        self._size = size
        self._fps = fps
        self._open = AsyncExitStack()
        self._joined: Joined

    async def join(self) -> None:
        self._joined = await self._open.enter_async_context(joined(self._socket, self._path))
        width, height = self._size
        wish = {"displayId": "primary", "framerate": self._fps}
        wish |= {"initialClientWidth": width, "initialClientHeight": height}
        await self._joined.send("SETTINGS," + json.dumps(wish))
        await self.press(False)

    async def read(self) -> None:
        last = -1
        async for kind, data in self._joined.messages():
            self.received += len(data)
            if kind == BINARY and len(data) >= _HEAD_BYTES and data[0] == _VIDEO:
                # A frame may come in several stripes, all of which have its number.
                number = data[2] << 8 | data[3]
                if number != last:
                    last = number
                    self.frame()
                    await self._joined.send(f"CLIENT_FRAME_ACK {number}")

    async def leave(self) -> None:
        await self._open.aclose()

    async def press(self, down: bool) -> None:
        width, height = self._size
        await self._joined.send(f"m,{width // 2},{height // 2},{int(down)},0")
