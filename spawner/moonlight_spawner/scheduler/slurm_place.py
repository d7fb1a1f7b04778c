"""Where jobs stand in the queue: a question of its own, asked only when somebody waits, and rarely.

The whole queue of a large site is tens of thousands of jobs. squeue sorts it, only numbers are asked
for, no more than :data:`MOST_BYTES` of them are read, and their lines are taken apart only for who asks for
many places.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from .command import Result

log = logging.getLogger(__name__)

MOST_BYTES = 256 << 10
REFRESH_SECONDS = 30.0
# So many are looked for in the text; for more of them its lines are numbered, once.
_FEW = 16
# Of job numbers, array and heterogeneous ones included: 9_[1-4,7%2], 8+0.
_IN_NUMBERS = b"0123456789_[]-,%:.+ \n"

Ask = Callable[[list[str], int], Awaitable[Result]]


@dataclass(frozen=True)
class Place:
    """From 1. ``pending`` is the length of the queue, None if it is not known whole."""

    position: int
    pending: int | None
    at_least: bool = False


class Line:
    """The waiting jobs of a partition, one number a line, the next to start first."""

    def __init__(self, text: str, whole: bool):
        self._text = f"\n{text}"
        self._length = text.count("\n")
        self._whole = whole
        self._numbered: dict[str, int] | None = None
        self._found: dict[str, Place] = {}

    def places(self, job_ids: Collection[str]) -> dict[str, Place]:
        """Of these; the same place is the same object each time. A job that is not in a line that is known
        whole has none."""
        if len(job_ids) > _FEW and self._numbered is None:
            numbers = self._text.split("\n")[1:-1]
            self._numbered = {number: at for at, number in enumerate(numbers, 1)}
        found = {}
        for job_id in job_ids:
            if place := self._found.get(job_id) or self._place(job_id):
                found[job_id] = self._found[job_id] = place
        return found

    def _place(self, job_id: str) -> Place | None:
        if at := self._position(job_id):
            return Place(at, self._length if self._whole else None)
        return None if self._whole else Place(self._length + 1, None, at_least=True)

    def _position(self, job_id: str) -> int:
        """From 1; 0 if it is not there."""
        if self._numbered is not None:
            return self._numbered.get(job_id, 0)
        at = self._text.find(f"\n{job_id}\n")
        return self._text.count("\n", 0, at) + 1 if at >= 0 else 0


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
        jobs: dict[str, list[str]] = {}
        for job, partition in waiting.items():
            jobs.setdefault(partition, []).append(job)
        tasks = []
        for partition, wanted in jobs.items():
            # One whose place is known, if not of this very moment, does not wait for a better one.
            known = len(self._places(partition, wanted)) == len(wanted)
            if partition not in self._asking and self._is_old(partition, known):
                self._asked_at[partition] = time.monotonic()
                self._asking[partition] = asyncio.ensure_future(self._refresh(partition))
            if not known and partition in self._asking:
                tasks.append(self._asking[partition])
        if tasks and patience > 0:
            await asyncio.wait(tasks, timeout=patience)
        places: dict[str, Place] = {}
        for partition, wanted in jobs.items():
            places |= self._places(partition, wanted)
        return places

    async def close(self) -> None:
        for task in list(self._asking.values()):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _places(self, partition: str, job_ids: list[str]) -> dict[str, Place]:
        line = self._lines.get(partition)
        return line.places(job_ids) if line else {}

    def _is_old(self, partition: str, known: bool) -> bool:
        age = time.monotonic() - self._asked_at.get(partition, float("-inf"))
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
