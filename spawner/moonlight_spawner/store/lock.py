"""A lock among services, and the periodic work that its holder does for all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

import redis
from redis.lock import Lock

from ..model.errors import StoreUnavailable
from .redis_client import Asking

log = logging.getLogger(__name__)


def _clock() -> float:
    """Goes on while this process is stopped, and while its machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class RedisLock:
    """Free again ``seconds`` after its holder was last heard of, should that have died or stand still.

    For one task: whoever holds it takes it once. The methods wait for Redis; they are for threads.
    """

    def __init__(self, asking: Asking, name: str, seconds: float):
        self._asking = asking
        self._name = name
        self._seconds = seconds
        self._lock: Lock | None = None
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether nobody else can have it now: by the clock, also after standing still."""
        return _clock() < self._until

    def take(self) -> bool:
        """Whether it was free.

        Raises
        ------
        StoreUnavailable
        """
        began = _clock()
        with self._asking.for_(f"the lock {self._name}") as client:
            lock = client.lock(self._name, timeout=self._seconds, thread_local=False)
            if not lock.acquire(blocking=False):
                return False
        self._lock, self._until = lock, began + self._seconds
        return True

    async def taken(self) -> bool:
        """:meth:`take`, in a thread; whoever is cancelled meanwhile does not keep it.

        Raises
        ------
        StoreUnavailable
        """
        taking = asyncio.ensure_future(asyncio.to_thread(self.take))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreUnavailable):
                await taking
            await asyncio.to_thread(self.give)
            raise

    def renew(self) -> bool:
        """Whether it is still ours. Where Redis does not answer it is until its time is over."""
        began = _clock()
        if self._lock is None:
            return False
        try:
            with self._asking.for_(f"the lock {self._name}"):
                self._renew(self._lock)
        except StoreUnavailable as e:
            log.warning("%s", e)
        else:
            if self._until:
                self._until = began + self._seconds
        return self.held

    def _renew(self, lock: Lock) -> None:
        try:
            lock.reacquire()
        except redis.exceptions.LockError:  # somebody else's, or nobody's
            self._until, self._lock = 0.0, None

    def give(self) -> None:
        """Let others have it at once; without Redis they have it when its time is over."""
        lock, self._lock, self._until = self._lock, None, 0.0
        if lock:
            with contextlib.suppress(StoreUnavailable, redis.exceptions.LockError):
                with self._asking.for_(f"the lock {self._name}"):
                    lock.release()

    async def keep(self) -> None:
        """Renew it until it is lost or this is cancelled."""
        while await asyncio.to_thread(self.renew):
            await asyncio.sleep(max(0.0, min(self._seconds / 3, self._until - _clock())))


async def work_alone(lock: RedisLock, work: Callable[[], Awaitable[None]], pause: float) -> None:
    """Do ``work`` whenever ``lock`` can be had, until this is cancelled; asked for every ``pause``
    seconds. Who loses it is cancelled in the middle of its work, so that two never do it."""
    told = False
    while True:
        try:
            taken = await lock.taken()
            told = False
        except StoreUnavailable as e:
            if not told:
                log.warning("%s", e)
            taken, told = False, True
        if taken:
            try:
                await _work_while_held(lock, work)
            finally:
                await asyncio.shield(asyncio.to_thread(lock.give))
        await asyncio.sleep(pause)


async def _work_while_held(lock: RedisLock, work: Callable[[], Awaitable[None]]) -> None:
    working = asyncio.ensure_future(work())
    keeping = asyncio.ensure_future(lock.keep())
    try:
        done, _ = await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        if working not in done:
            log.warning("the portal's periodic work goes on in another service: its lock was lost")
    finally:
        for task in (working, keeping):
            task.cancel()
        for result in await asyncio.gather(working, keeping, return_exceptions=True):
            if isinstance(result, Exception):
                log.error("the portal's periodic work has failed", exc_info=result)
