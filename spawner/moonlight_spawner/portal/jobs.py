"""The batch system as the service itself asks it, for all users."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Protocol

from ..model.job import JobInfo
from ..scheduler.base import Doubt, Scheduler, Snapshot
from ..scheduler.slurm_everybodys import EverybodysJobs
from ..site.options import MoonlightSite


class Jobs(Protocol):
    async def snapshot(self, job_ids: Collection[str]) -> Snapshot: ...

    async def place(self) -> str: ...

    async def sessions(self) -> Mapping[str, str]: ...

    async def close(self) -> None: ...


class NoJobs:
    """Where sessions run without a batch system, only their user can see how they are."""

    def __init__(self, scheduler: Scheduler):
        self._scheduler = scheduler

    async def snapshot(self, job_ids: Collection[str]) -> Snapshot:
        return Snapshot(complete=False)

    async def place(self) -> str:
        return await self._scheduler.place()

    async def sessions(self) -> Mapping[str, str]:
        return {}

    async def close(self) -> None:
        """Nothing was begun."""


def everybodys(site: MoonlightSite, scheduler: Scheduler) -> Jobs:
    return EverybodysJobs(site) if site.batch_system == "slurm" else NoJobs(scheduler)


class UsersJobs:
    """What one answer about everybody's jobs says of this user's, for a reader of his sessions: a record
    may name any job, and Slurm says whose it is."""

    def __init__(self, name: str, snapshot: Snapshot, place: str):
        self.name = name
        self.snapshot = snapshot
        self._place = place

    async def query(self, job_ids: Collection[str]) -> Snapshot:
        return self.snapshot

    async def place(self) -> str:
        return self._place


def by_owner(everybodys: Snapshot) -> Callable[[str], Snapshot]:
    """Gives each user's part of an answer."""
    jobs: dict[str, dict[str, JobInfo]] = {}
    doubts: dict[str, dict[str, Doubt]] = {}
    for job_id, owner in everybodys.owners.items():
        if job_id in everybodys.jobs:
            jobs.setdefault(owner, {})[job_id] = everybodys.jobs[job_id]
        if job_id in everybodys.doubts:
            doubts.setdefault(owner, {})[job_id] = everybodys.doubts[job_id]
    nothing = replace(everybodys, jobs={}, doubts={}, owners={})
    return lambda user: replace(nothing, jobs=jobs.get(user, {}), doubts=doubts.get(user, {}))
