"""When a session's time is up: it ends itself in order, shortly before its job's limit.

Slurm's own warning (``--signal=B:TERM@60``) came 64 to 105 s before the limit (measured), which
looks like any other TERM. So nobody is asked for one: the session keeps the time, and a TERM that
comes before its time is up is somebody's who wanted it to end.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import psutil

from ..model.job_state import JOB_END
from ..model.records import END_RESERVE, Spec
from ..model.sentences import Said
from ..model.session import End, State, Way, from_epoch, job_named, now
from ..processes.caller import command_environment
from ..processes.child import output_of
from .status import StatusFile

log = logging.getLogger(__name__)

#: Minutes before the end at which the user is told.
WARN_MINUTES = (10, 5, 1)
UNKNOWN = Said.by(
    "EndUnknown",
    "How long the job runs is not known here: the desktop ends with it, maybe without a warning.",
)
# How long squeue may take, at least and at most; between these as long as there is time. Where jobs
# are not told their end (Slurm 22.05) its answer is the only one, and on a busy node it is slow.
_ASK_SECONDS = (5.0, 30.0)
# An administrator may change the limit of a running job; a suspended one ends later.
_ASK_AGAIN_SECONDS = (20.0, 600.0)
_LAST_SECOND = 253402300799  # of the year 9999, the calendar's last


class Deadline:
    """The time at which the session ends, told in its status and kept up to date.

    Parameters
    ----------
    began
        When the job began, if nothing better is known.
    """

    def __init__(self, spec: Spec, status: StatusFile, began: datetime, env: Mapping[str, str]):
        self._spec = spec
        self._status = status
        self._env = env
        self._began = began
        end = _epoch(env.get("SLURM_JOB_END_TIME", "")) or _epoch(env.get(JOB_END, ""))
        start = _epoch(env.get("SLURM_JOB_START_TIME", "")) or began
        if spec.way is Way.JOB:
            end = end or start + timedelta(minutes=spec.request.minutes)
        else:  # the job was there before, for hours of its own
            end = end or spec.job_ends_at
        if end:
            self._tell(end)

    @property
    def left(self) -> float:
        """Seconds; without end where the job's end is not known: the session ends with it."""
        ends_at = self._status.status.ends_at
        return (ends_at - now()).total_seconds() if ends_at else math.inf

    async def passes(self) -> None:
        """Until the time is up; the batch system is asked about it now and then."""
        shortest, longest = _ASK_AGAIN_SECONDS
        while True:
            await self._ask()
            if self.left <= 0:
                return
            if self.left == math.inf:
                self._status.note(UNKNOWN)
            # Once more when it seems to be up: it may have been given more.
            await asyncio.sleep(min(self.left, max(shortest, min(longest, self.left / 2))))

    async def warn(self, tell: Callable[[int], None]) -> None:
        """Call ``tell`` with the minutes of each warning that is due, for ever."""
        warnings = Warnings((now() - self._began).total_seconds() + self.left)
        while True:
            if minutes := warnings.due(self.left):
                tell(minutes)
            await asyncio.sleep(1.0)

    async def _ask(self) -> None:
        """What Slurm says now, where its commands are; else what is known stays."""
        job = job_named(self._env)
        if self._spec.scheduler != "slurm" or not job:
            return
        argv = ["squeue", "--noheader", f"--jobs={job}", "--format=%e"]
        at_least, at_most = _ASK_SECONDS
        patience = max(at_least, min(at_most, self.left))
        said = await output_of(argv, command_environment("squeue", self._env), patience)
        if end := _epoch((said or "").strip()):
            self._tell(end)

    def _tell(self, job_ends: datetime) -> None:
        ends_at = job_ends - END_RESERVE
        if ends_at != self._status.status.ends_at:
            log.info("the session ends at %s", ends_at.isoformat())
            self._status.status.ends_at = ends_at
            self._status.write()


class Warnings:
    """Which of :data:`WARN_MINUTES` is due; each once, and again if the session was given more time.

    A session of ``seconds`` does without what is longer than itself.
    """

    def __init__(self, seconds: float):
        self._without = {minutes for minutes in WARN_MINUTES if seconds <= minutes * 60}
        self._told: set[int] = set()

    def due(self, left: float) -> int | None:
        """The minutes to be told with ``left`` seconds to go, None if nothing is."""
        reached = {minutes for minutes in WARN_MINUTES if left <= minutes * 60}
        new = reached - self._told - self._without
        self._told = reached
        return min(reached) if new else None


def time_limit(hours: float) -> End:
    """The end of a session whose time is up."""
    said = Said.by(
        "TimeLimit", "The session reached its time limit of {hours} h.", hours=f"{hours:g}"
    )
    return End.saying(State.TIMEOUT, said)


def _epoch(text: str) -> datetime | None:
    number = int(text) if text.isascii() and text.isdigit() else 0
    return from_epoch(number) if 0 < number <= _LAST_SECOND else None


def job_began() -> datetime:
    """When the guardian's process began: the job's script is replaced by it, and has its number."""
    try:
        return from_epoch(psutil.Process(os.getppid()).create_time())
    except psutil.Error:
        return now()
