"""Who looks at a stream while it is measured, in the place of a browser: it counts and does not decode."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from types import TracebackType


class Probe(ABC):
    """One client; an asynchronous context manager. ``frames`` and ``received`` (bytes) grow."""

    def __init__(self) -> None:
        self.frames = self.received = 0
        self._came = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Probe:
        await self.join()
        self._reading = asyncio.ensure_future(self.read())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self.leave()

    @abstractmethod
    async def join(self) -> None:
        """
        Raises
        ------
        OSError, ConnectionError
        """

    @abstractmethod
    async def read(self) -> None:
        """Take what comes, until it ends."""

    @abstractmethod
    async def leave(self) -> None: ...

    @abstractmethod
    async def press(self, down: bool) -> None:
        """The mouse's first button, in the middle of the screen."""

    def frame(self) -> None:
        """One has come, whole."""
        self.frames += 1
        self._came.set()

    async def next_frame(self, seconds: float) -> bool:
        """Wait for one; False if none comes within ``seconds``.

        Raises
        ------
        ConnectionError
            None will: the connection has ended.
        """
        self._came.clear()
        if self._reading and self._reading.done():
            raise ConnectionError("the stream has ended")
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._came.wait(), seconds)
            return True
        return False
