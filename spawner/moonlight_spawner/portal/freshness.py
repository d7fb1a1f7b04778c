"""How long what is on record serves before a user's own side is asked: that costs a process of his.

| what is shown | for so many seconds |
|---|---|
| ended, and that is on record; nothing at all | 60: a session of another door may have begun |
| waiting, its job in Slurm's answer | 60 |
| starting, its agent's words newer than 5 s | 60 |
| running, its agent's words newer than 20 s (it speaks every 15 s) | 60 |
| running, and neither it nor Slurm has told the service for longer | 5: its job may be gone |
| running by Slurm's answer alone | 20 |
| anything else: nobody tells the service how it goes on, or only its user's side can say how it ended | 5 |
"""

from __future__ import annotations

from datetime import datetime

from ..model.session import Session, State

OTHER_DOORS_SECONDS = 60.0
RUNNING_SECONDS = 20.0
SOON_SECONDS = 5.0
# An agent's words are to the second, and the clocks of nodes are not quite ours.
_STARTING_SECONDS = 5.0


def serves_for(
    session: Session, words: datetime | None, ended: bool, job_seen: bool, moment: datetime
) -> float:
    """Seconds that the records of a session serve for.

    Parameters
    ----------
    words
        When its agent spoke last, as far as the service has heard.
    ended
        Whether its end is on record.
    job_seen
        Whether the batch system has told the service itself of its job.
    """
    if ended:
        return OTHER_DOORS_SECONDS
    age = (moment - words).total_seconds() if words else float("inf")
    if session.status is State.PENDING:
        return OTHER_DOORS_SECONDS if job_seen else SOON_SECONDS
    if session.status is State.STARTING:
        return OTHER_DOORS_SECONDS if age <= _STARTING_SECONDS else SOON_SECONDS
    if session.status is State.RUNNING:
        if age <= RUNNING_SECONDS:
            return OTHER_DOORS_SECONDS
        return RUNNING_SECONDS if job_seen else SOON_SECONDS
    return SOON_SECONDS
