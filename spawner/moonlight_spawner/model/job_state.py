"""What a batch system says of a job in one word, and to the job itself."""

from __future__ import annotations

from enum import Enum

#: Set by a batch system of ours: the job's end in seconds since 1970, as Slurm 24.11 does.
JOB_END = "MOONLIGHT_JOB_END_TIME"


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
