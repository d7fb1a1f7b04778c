"""What every batch system has to do for us: submit, query many jobs at once, find, cancel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ..model.budget import Budget, BudgetState
from ..model.job import JobInfo
from ..model.session import Resources, StaleCode


@dataclass(frozen=True)
class Doubt:
    """Why an answer says nothing of one job that could be relied on, and since when."""

    reason: str
    since: datetime


@dataclass(frozen=True)
class Snapshot:
    """Jobs as last known. ``stale_since`` is set while the batch system does not answer.

    ``complete`` tells whether a job that is missing in ``jobs`` is really unknown to the system.
    ``elsewhere``: the jobs belong to another machine or cluster, which nobody can ask from here.
    ``doubts``: jobs of which this answer says nothing certain, while it counts for the others.
    ``unlisted``: jobs that only the accounting takes for alive; the batch system itself has none such.
    ``strangers``: jobs of another machine that has the same name as this one.
    ``owners``: whose jobs they are, where those of several users were asked for.
    """

    jobs: dict[str, JobInfo] = field(default_factory=dict)
    complete: bool = True
    stale_since: datetime | None = None
    stale_reason: str | None = None
    stale_code: StaleCode = StaleCode.SCHEDULER_AWAY
    elsewhere: bool = False
    doubts: dict[str, Doubt] = field(default_factory=dict)
    unlisted: frozenset[str] = frozenset()
    strangers: frozenset[str] = frozenset()
    owners: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JobRequest:
    """A job to submit. ``script`` is the whole batch script; ``name`` is unique. ``mail_to`` is where mail
    goes that its resources ask for, empty for the batch system's own idea of that."""

    name: str
    script: str
    directory: Path
    log: Path
    resources: Resources
    mail_to: str = ""


class Asks(Protocol):
    """What a reader of sessions asks of a batch system: see :class:`Scheduler`."""

    @property
    def name(self) -> str: ...

    async def query(self, job_ids: Collection[str]) -> Snapshot: ...

    async def place(self) -> str: ...


class Scheduler(ABC):
    """A batch system. Nothing here blocks the event loop."""

    name: str

    @abstractmethod
    async def submit(self, request: JobRequest) -> str:
        """Submit a job and give its id.

        Raises
        ------
        SchedulerRefused
            The system said no, with its reason in plain words.
        SchedulerUnavailable
            It cannot be reached; nothing was submitted.
        SubmitUnconfirmed
            It did not answer in time; the job may exist. :meth:`find` it before trying again.
        """

    @abstractmethod
    async def query(self, job_ids: Collection[str]) -> Snapshot:
        """What is known of these jobs, in one question and quickly."""

    @abstractmethod
    async def place(self) -> str:
        """The machine or cluster that it is the batch system of; empty while that is not known.

        A home may be shared by several: ids of jobs mean something in one place only. What tells
        machines of one name apart stands behind a ``#`` (:func:`name_of`).
        """

    @abstractmethod
    async def find(self, names: Collection[str]) -> dict[str, str]:
        """Ids of this user's newest jobs of these names; a name without a job is not in it.

        Raises
        ------
        SchedulerUnavailable
        """

    async def settled(self, job_id: str) -> bool:
        """Whether nothing more is written for a job whose session has ended. A batch system keeps
        its jobs elsewhere."""
        return True

    @abstractmethod
    async def cancel(self, job_id: str) -> None:
        """End a job. Ending an ended job is no error.

        Raises
        ------
        SchedulerUnavailable
        SchedulerRefused
            It is somebody else's job.
        """

    @abstractmethod
    async def check(self) -> str | None:
        """None if the system answers, else a sentence saying what is wrong."""

    async def budget(self, user: str) -> Budget:
        """What it leaves a user of what it lets him have; it may take as long as the system lets one wait.
        Where nobody counts there is no limit."""
        return Budget(state=BudgetState.NONE)

    async def close(self) -> None:
        """End what was started in the background."""
        return None


def name_of(place: str) -> str:
    """The name by which a user knows the place."""
    return place.partition("#")[0]


def same_place(one: str, other: str) -> bool:
    """Whether two may be the same; an empty one, and one without its mark, is not told apart."""
    if not one or not other:
        return True
    if "#" in one and "#" in other:
        return one == other
    return name_of(one) == name_of(other)
