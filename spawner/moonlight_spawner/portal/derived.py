"""What was made of a record, as long as it would be made again: most of what is looked at has not changed
since the last look."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..model.job import JobInfo
from ..model.session import Session, State
from ..scheduler import Snapshot

# What time alone changes, such as that an agent is silent for too long, is seen so much later.
_SECONDS = 5.0


@dataclass(frozen=True)
class Derived:
    """A session and how long it serves (:mod:`.freshness`), made at a time of the monotonic clock of a
    record, of what Slurm said of its job and of whether it answered."""

    session: Session
    serves: float
    ended: bool
    info: JobInfo | None
    stale: object
    at: float

    @classmethod
    def now(
        cls, session: Session, serves: float, ended: bool, info: JobInfo | None, snapshot: Snapshot
    ) -> Derived:
        return cls(session, serves, ended, info, _stale(snapshot), time.monotonic())

    def holds(self, info: JobInfo | None, snapshot: Snapshot) -> bool:
        """Whether the same would be made again, while the record has not changed."""
        if self.ended:
            return True
        if self.session.status is State.STOPPING or snapshot.doubts:
            return False
        fresh = time.monotonic() - self.at < _SECONDS
        return fresh and self.stale == _stale(snapshot) and self.info == info


def _stale(snapshot: Snapshot) -> object:
    return snapshot.stale_since, snapshot.stale_reason, snapshot.stale_code
