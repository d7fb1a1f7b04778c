"""What was made of a record, as long as it would be made again: most of what is looked at has not changed
since the last look."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from ..model.job import JobInfo, JobState
from ..model.session import Session, State, now
from ..scheduler.base import Snapshot
from .freshness import RUNNING_SECONDS

# What time alone changes, such as that an agent is silent for too long, is seen so much later.
_SECONDS = 5.0


@dataclass(frozen=True)
class Derived:
    """A session and how long it serves (:mod:`.freshness`), made of a record, of what Slurm said of its
    job and of whether it answered; ``until``: when time alone may make something else of them, by the
    monotonic clock."""

    session: Session
    serves: float
    ended: bool
    info: JobInfo | None
    stale: object
    until: float

    @classmethod
    def now(
        cls,
        session: Session,
        serves: float,
        ended: bool,
        info: JobInfo | None,
        snapshot: Snapshot,
        words: datetime | None,
    ) -> Derived:
        """``words``: when its agent spoke last."""
        until = time.monotonic() + _steady_seconds(session, info, words)
        return cls(session, serves, ended, info, _stale(snapshot), until)

    def holds(self, info: JobInfo | None, snapshot: Snapshot) -> bool:
        """Whether the same would be made again, while the record has not changed."""
        if self.ended:
            return True
        if self.session.status is State.STOPPING or snapshot.doubts:
            return False
        fresh = time.monotonic() < self.until
        same = self.info is info or self.info == info
        return fresh and same and self.stale == _stale(snapshot)


def _steady_seconds(session: Session, info: JobInfo | None, words: datetime | None) -> float:
    """One that waits in Slurm's queue waits on while Slurm says the same. One that runs is looked at again
    when its agent should have spoken, which changes its record: most of many are neither at each look."""
    if info and session.status is State.PENDING and info.state is JobState.PENDING:
        return RUNNING_SECONDS
    if info and words and session.status is State.RUNNING and info.state is JobState.RUNNING:
        silent = (now() - words).total_seconds()
        if -_SECONDS <= silent < RUNNING_SECONDS - _SECONDS:
            return RUNNING_SECONDS - max(0.0, silent)
    return _SECONDS


def _stale(snapshot: Snapshot) -> object:
    return snapshot.stale_since, snapshot.stale_reason, snapshot.stale_code
