"""What is known of a job, whichever batch system it is one of."""

from __future__ import annotations

from .job_state import JobState as JobState
from .session import Model, Moment


class JobInfo(Model):
    """One job. ``code`` and ``message`` say why it waits or how it ended.

    ``passing``: jobs in this state have been seen to run later all the same (a node that came back, a
    job that was put back into the queue), so one look alone proves no end.
    ``certain``: who says that it has ended has seen its processes go, on this very machine.
    ``at_least``: the queue is too long to be read, and ``position`` is that of the first one not read.
    """

    job_id: str
    state: JobState
    code: str = ""
    message: str = ""
    node: str | None = None
    passing: bool = False
    certain: bool = False
    position: int | None = None
    at_least: bool = False
    pending: int | None = None
    estimated_start: Moment | None = None
    started_at: Moment | None = None
    ends_at: Moment | None = None
    ended_at: Moment | None = None
