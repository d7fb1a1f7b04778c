"""How often a part is started again: at once a few times, then after a growing pause.

A part that ends again and again must not take the session with it, nor the node's CPU.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

_AT_ONCE = 3
_LASTED_SECONDS = 300.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 15.0, 600.0
# Who looks gets a try at once, but his page asks again and again: so far from one try to the next.
_BETWEEN_SECONDS = 5.0


class Retries:
    """Counts the ends of one part that did not run for long.

    Parameters
    ----------
    clock
        Seconds of a clock that only goes forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._started = clock()
        self._ends = 0
        self._wanted = asyncio.Event()

    @property
    def ends(self) -> int:
        """Ends on end."""
        return self._ends

    @property
    def often(self) -> bool:
        """Whether it ends too often to be started again at once."""
        return self._ends > _AT_ONCE

    @property
    def pause(self) -> float:
        """Seconds until it is tried again."""
        if not self.often:
            return 0.0
        return min(
            _LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** (self._ends - _AT_ONCE - 1)
        )

    def ended(self) -> None:
        """It ended, or did not start."""
        lasted = self._clock() - self._started > _LASTED_SECONDS
        self._ends = 1 if lasted else self._ends + 1

    def start(self) -> None:
        """It is started now."""
        self._started = self._clock()

    def want(self) -> None:
        """Somebody looks: the pause is over."""
        self._wanted.set()

    async def wait(self) -> None:
        """Until it is time for the next try."""
        if not self.often:
            return
        self._wanted.clear()
        spaced = max(0.0, self._started + _BETWEEN_SECONDS - self._clock())
        await asyncio.sleep(spaced)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._wanted.wait(), self.pause - spaced)
