"""As many tests compute at once as the machine has cores; those that wait for a Slurm wait beside them.

With a worker more than there are cores, what a real Slurm takes its time for costs none of it. That
worker must not start one more desktop, encoder or browser, though: those starve where they are more
than the cores, and pictures come late. So each test that is not one of Slurm's holds one of the
cores while it runs, from its fixtures to their end, and waits until one is free.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.order import computes

#: Seconds between two looks whether a core is free.
_PAUSE = 0.01


class Cores:
    """The cores of the machine, shared by the processes that name the same file.

    The locks are POSIX's: they end with the process that holds them, and none of its children, which
    a test may leave for a while, holds one.
    """

    def __init__(self, file: Path, number: int):
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.number = number

    def close(self) -> None:
        os.close(self._file)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Waits for a core and holds it. Who came first gets the next: a crowd of short tests would
        else hold up a long one for as long as it lasts."""
        fcntl.lockf(
            self._file, fcntl.LOCK_EX, 1, self.number
        )  # the door; behind it waits one alone
        try:
            while (core := self._free()) is None:
                time.sleep(_PAUSE)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, self.number)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, core)

    def _free(self) -> int | None:
        for core in range(self.number):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, core)
                return core
            except (BlockingIOError, PermissionError):
                pass
        return None


_KEY = pytest.StashKey[Cores]()


def pytest_sessionstart(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput") and session.config.cache:  # one of several processes
        file = session.config.cache.mkdir("cores") / "held"
        session.config.stash[_KEY] = Cores(file, len(os.sched_getaffinity(0)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if cores := session.config.stash.get(_KEY, None):
        cores.close()


# Before pytest-timeout's: a test's own time begins when it has its core.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    cores = item.config.stash.get(_KEY, None)
    if cores is None or not computes(set(getattr(item, "fixturenames", ()))):
        return (yield)
    with cores.one():
        return (yield)
