"""What every batch system has to do for us: submit, query many jobs at once, find, cancel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from ..session import Model, Resources


class JobState(str, Enum):
    """What the batch system says of a job."""

    PENDING = "pending"
    RUNNING = "running"
    ENDING = "ending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    NODE_FAIL = "node_fail"
    PREEMPTED = "preempted"
    OUT_OF_MEMORY = "out_of_memory"

    @property
    def ended(self) -> bool:
        return self not in (JobState.PENDING, JobState.RUNNING, JobState.ENDING)


class JobInfo(Model):
    """One job. ``code`` and ``message`` say why it waits or how it ended."""

    job_id: str
    state: JobState
    code: str = ""
    message: str = ""
    node: str | None = None
    position: int | None = None
    pending: int | None = None
    estimated_start: datetime | None = None
    started_at: datetime | None = None
    ends_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Snapshot:
    """Jobs as last known. ``stale_since`` is set while the batch system does not answer.

    ``complete`` tells whether a job that is missing in ``jobs`` is really unknown to the system.
    ``elsewhere``: the jobs belong to another machine or cluster, which nobody can ask from here.
    """

    jobs: dict[str, JobInfo] = field(default_factory=dict)
    complete: bool = True
    stale_since: datetime | None = None
    stale_reason: str | None = None
    elsewhere: bool = False


@dataclass(frozen=True)
class JobRequest:
    """A job to submit. ``script`` is the whole batch script; ``name`` is unique."""

    name: str
    script: str
    directory: Path
    log: Path
    resources: Resources


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

        A home may be shared by several: ids of jobs mean something in one place only.
        """

    @abstractmethod
    async def find(self, names: Collection[str]) -> dict[str, str]:
        """Ids of this user's newest jobs of these names; a name without a job is not in it.

        Raises
        ------
        SchedulerUnavailable
        """

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

    async def close(self) -> None:
        """End what was started in the background."""
        return None
