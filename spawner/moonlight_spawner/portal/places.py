"""A number of places that requests take for a time and wait for in turn."""

from __future__ import annotations

import asyncio
from collections import deque


class Places:
    """Not :class:`asyncio.Semaphore` in ``wait_for``: before Python 3.12 a place that is given in the
    moment of a time-out or a cancel is lost."""

    def __init__(self, most: int):
        self._free = most
        self._waiting: deque[asyncio.Future[bool]] = deque()

    async def take(self, deadline: float) -> bool:
        """Whether there was one before ``deadline`` of the loop's clock."""
        if self._free and not self._waiting:
            self._free -= 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_at(deadline, _settle, turn, False)
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.give()
            raise
        finally:
            timer.cancel()

    def give(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1


def _settle(turn: asyncio.Future[bool], value: bool) -> None:
    if not turn.done():
        turn.set_result(value)
