"""Streams of a session start one after the other.

Two within 50 ms of each other end Sunshine by SIGSEGV, or leave one of them dark (measured on v2026.817);
two tabs that are reloaded together, or that come back together after a crash, are just that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...relay.messages import Beginnings

# A first picture may take that long on a busy node; a start that is stuck holds nobody longer.
_LONGEST_SECONDS = 15.0


class Turn:
    """One start, from when it may begin until it is over: it has a picture, or failed, or took too long."""

    def __init__(self, lock: asyncio.Lock, begun: Callable[[int, bytes], bool]):
        self._lock = lock
        self._begun = begun
        self._said = Beginnings()
        self._over = False
        self._patience = asyncio.get_running_loop().call_later(_LONGEST_SECONDS, self.end)

    def hear(self, data: bytes) -> bool:
        """What the host says on the stream; whether it has to be heard any longer."""
        if not self._over and any(self._begun(*message) for message in self._said.of(data)):
            self.end()
        return not self._over

    def end(self) -> None:
        """The next one may begin."""
        if not self._over:
            self._over = True
            self._patience.cancel()
            self._lock.release()


class Turns:
    """Hands them out in the order in which they are asked for."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        #: Streams that wait for their turn.
        self.waiting = 0

    async def take(self, begun: Callable[[int, bytes], bool]) -> Turn:
        """Wait for it. ``begun`` is asked of each of the host's messages whether the start is over
        (:meth:`..hosts.Host.begun`)."""
        self.waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self.waiting -= 1
        return Turn(self._lock, begun)
