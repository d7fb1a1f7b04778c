"""Pages that listen to a portal's events, and how soon they hear what a session's agent says."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import httpx

from .processes import CpuMeter

_STAMP = re.compile(rb'"encoder": ?"bench-(\d+)"')
_IDLE_SECONDS = 6.0
# Of one user's sessions a portal hears five words a second.
_BETWEEN_SECONDS = 0.25


class Page:
    """Where one user's pages listen, and where a session of his says something."""

    def __init__(self, url: str, login: Mapping[str, str], told: str, token: Mapping[str, str]):
        self.url, self.login, self.told, self.token = url, login, told, token
        self.heard = 0

    def word(self, encoder: str) -> str:
        """A status that names that encoder, and is newer than the last."""
        raise NotImplementedError

    async def listen(self, ready: asyncio.Event, times: list[float]) -> None:
        """Puts into ``times`` how old each word is when its event comes, in milliseconds."""
        there = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(there.hostname, there.port, limit=1 << 22)
        try:
            lines = ["GET /api/moonlight/events HTTP/1.1", f"Host: {there.netloc}"]
            lines += [f"{name}: {value}" for name, value in self.login.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            while line := await reader.readline():
                if line.startswith(b'data: {"sessions"'):
                    ready.set()
                elif found := _STAMP.search(line):
                    times.append((time.monotonic_ns() - int(found[1])) / 1e6)
                    self.heard += 1
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def changes_ms(
    users: Sequence[Page], pages: int, changes: int, meter: CpuMeter
) -> tuple[list[float], float]:
    """Open so many pages of each user. Gives how long ``changes`` words took to each page, and what the
    service's CPU has to do while nothing happens, in percent of a core."""
    times: list[float] = []
    readies: list[asyncio.Event] = []
    tasks = []
    try:
        for user in users:
            for _ in range(pages):
                readies.append(asyncio.Event())
                tasks.append(asyncio.ensure_future(user.listen(readies[-1], times)))
        await asyncio.wait_for(asyncio.gather(*(ready.wait() for ready in readies)), 60)
        with meter:
            await asyncio.sleep(_IDLE_SECONDS)
        async with httpx.AsyncClient(timeout=60) as client:
            for number in range(changes):
                user = users[number % len(users)]
                word = user.word(f"bench-{time.monotonic_ns()}")
                headers = {**user.token, "Content-Type": "application/json"}
                answer = await client.post(user.told, content=word, headers=headers)
                answer.raise_for_status()
                await asyncio.sleep(_BETWEEN_SECONDS / min(len(users), 4))
        await asyncio.sleep(1.0)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if len(times) < 0.9 * changes * pages:
        raise RuntimeError(f"of {changes * pages} events {len(times)} came")
    return times, meter.percent
