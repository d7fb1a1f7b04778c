"""How much processor some processes take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path


class CpuMeter:
    """CPU time of some processes (without their children) between entry and exit.

    ``percent`` is of one core. By the scheduler's own count (proc(5), schedstat), to the nanosecond: the
    clock's is to 10 ms.
    """

    def __init__(self, pids: Sequence[int]):
        self._pids = list(pids)
        self.percent = self.seconds = 0.0

    def __enter__(self) -> CpuMeter:
        self._used, self._began = self._seconds(), time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = self._seconds() - self._used
        self.percent = 100.0 * self.seconds / max(1e-9, time.monotonic() - self._began)

    def _seconds(self) -> float:
        seconds = 0.0
        for pid in self._pids:
            for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):  # a thread that has ended meanwhile
                    seconds += int(task.read_text().split()[0]) / 1e9
        return seconds
