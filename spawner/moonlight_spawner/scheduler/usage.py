"""Jobs of desktops summed up: how many, how long, how many GPUs, how long they waited."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .slurm_accounting import Used, failed

BY = ("user", "image", "month")


@dataclass(frozen=True)
class Figures:
    """Of one group of jobs, within one time.

    ``sessions`` were submitted in it, ``failures`` of these failed, and those of them that started
    waited ``wait_median_minutes`` and ``wait_longest_minutes`` (None: none started).
    ``ended_idle`` of those that ended in it did because nobody used them, and ``saved_gpu_hours`` were
    left of their time, times GPUs; both None where Slurm keeps no comments of jobs.
    ``hours`` ran in it, of whatever was submitted before as well; ``gpu_hours`` are those times GPUs;
    both to 0.0001, which is less than a second.
    """

    group: str
    sessions: int
    hours: float
    gpu_hours: float
    wait_median_minutes: float | None
    wait_longest_minutes: float | None
    failures: int
    ended_idle: int | None = None
    saved_gpu_hours: float | None = None


def figures(
    jobs: Sequence[Used], since: datetime, until: datetime, by: str, now: float
) -> list[Figures]:
    """The groups in their order, and the ``total`` of all. A job that runs has run until ``now``."""
    kept = any(job.commented for job in jobs)
    if by == "month":
        parts = [
            _summed(f"{begin:%Y-%m}", jobs, begin, end, now, kept)
            for begin, end in _months(since, until)
        ]
    else:
        key: Callable[[Used], str] = (lambda j: j.user) if by == "user" else (lambda j: j.image)
        parts = [
            _summed(name, [j for j in jobs if key(j) == name], since, until, now, kept)
            for name in sorted({key(j) for j in jobs})
        ]
    return [*parts, _summed("total", jobs, since, until, now, kept)]


def _summed(
    group: str, jobs: Iterable[Used], since: datetime, until: datetime, now: float, kept: bool
) -> Figures:
    begin, end = since.timestamp(), until.timestamp()
    jobs = list(jobs)
    idle = [j for j in jobs if j.given_back is not None and j.ended and begin <= j.ended < end]
    hours = gpu_hours = 0.0
    for job in jobs:
        if job.started is not None:
            ran = min(job.ended or now, end, now) - max(job.started, begin)
            hours += max(0.0, ran) / 3600
            gpu_hours += max(0.0, ran) / 3600 * job.gpus
    new = [job for job in jobs if begin <= job.submitted < end]
    waits = [
        max(0.0, j.started - j.submitted) / 60
        for j in new
        if j.started is not None and j.started <= now
    ]
    return Figures(
        group=group,
        sessions=len(new),
        hours=round(hours, 4),
        gpu_hours=round(gpu_hours, 4),
        wait_median_minutes=round(statistics.median(waits), 2) if waits else None,
        wait_longest_minutes=round(max(waits), 2) if waits else None,
        failures=sum(failed(job) for job in new),
        ended_idle=len(idle) if kept else None,
        saved_gpu_hours=round(sum((j.given_back or 0.0) * j.gpus for j in idle) / 3600, 4)
        if kept
        else None,
    )


def _months(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The calendar's months in it, the first and the last as far as they are. Of this machine's zone."""
    begin = since
    while begin < until:
        first = begin.replace(day=1, hour=0, minute=0, second=0, tzinfo=None)
        following = (first + timedelta(days=32)).replace(day=1).astimezone()
        yield begin, min(following, until)
        begin = following


__all__ = ["BY", "Figures", "figures"]
