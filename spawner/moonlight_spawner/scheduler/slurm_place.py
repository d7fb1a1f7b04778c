"""Where jobs stand in the queue: a question of its own, asked only when somebody waits, and rarely.

The whole queue of a large site is tens of thousands of jobs. squeue sorts it, only numbers are asked
for, no more than :data:`MOST_BYTES` of them are read, and no line of them is taken apart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from .command import Result

log = logging.getLogger(__name__)

MOST_BYTES = 256 << 10
REFRESH_SECONDS = 30.0
# Of job numbers, array and heterogeneous ones included: 9_[1-4,7%2], 8+0.
_IN_NUMBERS = b"0123456789_[]-,%:.+ \n"

Ask = Callable[[list[str], int], Awaitable[Result]]


@dataclass(frozen=True)
class Place:
    """From 1. ``pending`` is the length of the queue, None if it is not known whole."""

    position: int
    pending: int | None
    at_least: bool = False


@dataclass(frozen=True)
class Line:
    """The waiting jobs of a partition, one number a line, the next to start first."""

    text: str
    whole: bool

    def place(self, job_id: str) -> Place | None:
        at = f"\n{self.text}".find(f"\n{job_id}\n")
        if at >= 0:
            return Place(self.text.count("\n", 0, at) + 1, self._length())
        return None if self.whole else Place(self.text.count("\n") + 1, None, at_least=True)

    def _length(self) -> int | None:
        return self.text.count("\n") if self.whole else None


class Places:
    """Lines of partitions, kept for half a minute."""

    def __init__(self, ask: Ask, again_seconds: float):
        self._ask = ask
        self._again_seconds = again_seconds  # for a job that is not in the line that is known
        self._lines: dict[str, Line] = {}
        self._asked_at: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def of(self, waiting: Mapping[str, str], patience: float) -> dict[str, Place]:
        """Places of these jobs, by the partitions they wait for; without waiting long for an answer."""
        for partition in set(waiting.values()):
            jobs = [job for job, wanted in waiting.items() if wanted == partition]
            if partition not in self._asking and self._is_old(partition, jobs):
                self._asked_at[partition] = time.monotonic()
                self._asking[partition] = asyncio.ensure_future(self._refresh(partition))
        # One whose place is known, if not of this very moment, does not wait for a better one.
        new = {p for job, p in waiting.items() if self._place(job, p) is None}
        tasks = [self._asking[p] for p in new if p in self._asking]
        if tasks and patience > 0:
            await asyncio.wait(tasks, timeout=patience)
        places = {job: self._place(job, partition) for job, partition in waiting.items()}
        return {job: place for job, place in places.items() if place}

    async def close(self) -> None:
        for task in list(self._asking.values()):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _place(self, job_id: str, partition: str) -> Place | None:
        line = self._lines.get(partition)
        return line.place(job_id) if line else None

    def _is_old(self, partition: str, jobs: list[str]) -> bool:
        age = time.monotonic() - self._asked_at.get(partition, float("-inf"))
        known = all(self._place(job, partition) for job in jobs)
        return age > (REFRESH_SECONDS if known else self._again_seconds)

    async def _refresh(self, partition: str) -> None:
        argv = ["squeue", "--noheader", "--all", "--states=PENDING", f"--partition={partition}"]
        argv += ["--sort=-Q,i", "--format=%i"]
        try:
            result = await self._ask(argv, MOST_BYTES)
            text = result.output[: result.output.rfind("\n") + 1]
            if result.status and not result.too_long:
                raise ValueError(result.errors.strip() or f"exit {result.status}")
            if text.encode().translate(None, _IN_NUMBERS):
                raise ValueError("these are no numbers of jobs")
            self._lines[partition] = Line(text, not result.too_long)
        except Exception as e:  # no place is shown then; nothing else depends on it
            self._lines.pop(partition, None)
            log.warning("the queue of partition %s is not known: %s", partition, e)
        finally:
            self._asking.pop(partition, None)
