"""Waiting for something to come true: the test fails if it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], seconds: float = 90.0) -> T:
    """Poll ``condition`` until it is true; what it gave then.

    ``wait_until`` of tests.cluster gives False at the end of the time, for those who go on then.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {condition}"
        time.sleep(0.02)
    return found
