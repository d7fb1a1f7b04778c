"""Files are opened, read, written and closed in threads of their own: a file system may hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
_THREADS = 4


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Threads:
    """Of one session."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="files")

    async def run(self, work: Callable[..., T], *words: Any) -> T:
        """What ``work(*words)`` gives."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *words))

    @asynccontextmanager
    async def opened(self, work: Callable[..., C], *words: Any) -> AsyncIterator[C]:
        """What ``work(*words)`` opens, closed at the end without waiting for that."""
        file = await self.run(work, *words)
        try:
            yield file
        finally:
            self._pool.submit(file.close)

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
