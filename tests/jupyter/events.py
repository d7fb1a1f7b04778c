"""A page that listens to server-sent events."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.waiting import PATIENCE

from .raw import strict

Event = tuple[str, Any]


class Listener:
    """``async with Listener(port, path, headers) as page: kind, data = await page.event()``"""

    def __init__(self, port: int, path: str, headers: dict[str, str]):
        self._port, self._path, self._headers = port, path, headers
        self._text = ""

    async def __aenter__(self) -> Listener:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        lines = [f"GET {self._path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}"]
        lines += [f"{name}: {value}" for name, value in self._headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), PATIENCE)
        self.head = head.decode("latin-1").lower()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        self._writer.close()

    async def event(self) -> Event | None:
        """The next event; None at the orderly end of the stream."""
        return await asyncio.wait_for(self._event(), PATIENCE)

    async def _event(self) -> Event | None:
        while True:
            while "\n\n" not in self._text:
                part = await self._chunk()
                if not part:
                    return None
                self._text += part.decode()
            block, _, self._text = self._text.partition("\n\n")
            fields = dict(line.split(": ", 1) for line in block.splitlines())
            if "event" in fields:
                return fields["event"], strict(fields["data"])

    async def _chunk(self) -> bytes:
        size = int(await self._reader.readline(), 16)
        data = await self._reader.readexactly(size)
        await self._reader.readline()
        return data

    async def statuses(self, session_id: str, last: str) -> list[str]:
        """The states of a session as they change, up to ``last``."""
        found: list[str] = []
        while last not in found:
            event = await self.event()
            assert event is not None, f"the stream ended after {found}"
            kind, data = event
            if kind == "session" and data["session_id"] == session_id:
                found += [data["status"]] if found[-1:] != [data["status"]] else []
        return found
