"""Waiting for something to come true, with one patience for all tests.

How long a thing takes depends on how busy the machine is, so a number at the place of a wait says
nothing about the product. What must *not* happen for a while has its own short time, by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds that any wait lasts before its test fails: half of what pytest gives a whole test, and
#: three times what the slowest one took on two busy cores.
PATIENCE = 300.0

#: Seconds for which something must not happen, or nothing may change any more.
STILL = 1.0

#: Seconds that a clean-up gives a process to end in order before it is killed.
GRACE = 20.0


def wait_for(condition: Callable[[], T], *, interval: float = 0.02) -> T:
    """Poll ``condition`` until it is true; what it gave then. It fails the test if it never is."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {PATIENCE:g} s: {condition}"
        time.sleep(interval)
    return found


def wait_until(
    condition: Callable[[], object], seconds: float = PATIENCE, *, interval: float = 0.02
) -> bool:
    """Poll ``condition`` until it is true; False after ``seconds``, for those who go on then."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True
