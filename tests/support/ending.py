"""A test run that is told to end takes back what it has made, as at Ctrl-C: directories, users, programs."""

from __future__ import annotations

import os
import signal
from types import FrameType

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """In a worker of pytest-xdist too: all of them are told by whoever ends the run. What a test has forked
    just ends."""
    run = os.getpid()

    def end(signum: int, frame: FrameType | None) -> None:
        if os.getpid() != run:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
        signal.signal(signum, signal.SIG_IGN)  # a second one must not break off the ending
        raise KeyboardInterrupt(f"ended by signal {signum}")

    signal.signal(signal.SIGTERM, end)
