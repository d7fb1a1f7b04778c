"""Deletes what is on record of sessions that have ended, and never of one that lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Collection, Coroutine, Iterable
from typing import Any, TypeVar

from ..model.errors import (
    MoonlightError,
    RecordsUnwritable,
    SchedulerUnavailable,
    SessionLives,
)
from ..model.job import JobState
from ..model.records import Facts
from ..model.session import Session
from ..scheduler.base import Snapshot
from ..site.options import MoonlightSite
from ..store import FileStore
from .launch import Launcher

log = logging.getLogger(__name__)

T = TypeVar("T")

# A desktop has ended a moment before its last processes, and Slurm a moment later.
_WAIT_SECONDS, _LOOK_AGAIN_SECONDS = 4.0, 0.25
_UNCERTAIN = "Nothing was deleted, because the batch system cannot say whether all has ended"
LOGS = ("agent", "xserver", "desktop", "stream", "sound", "image")


class Forgetting:
    """Without a record nobody stops a desktop any more. One that is shown as ended may live all the same,
    such as in a job that was put back into the queue: the batch system is asked."""

    def __init__(self, site: MoonlightSite, store: FileStore, launcher: Launcher):
        self._site = site
        self._store = store
        self._launcher = launcher

    async def one(self, user: str, session: Session) -> list[str]:
        """
        Raises
        ------
        SessionLives, SchedulerUnavailable, RecordsUnwritable
        """
        session_id = session.session_id
        if session.live:
            raise SessionLives(
                f"{session_id} has not ended ({session.status.value}): stop it first, then delete it."
            )
        looks_until = time.monotonic() + _WAIT_SECONDS
        while why := (await self._why_not(user, [session_id])).get(session_id):
            if time.monotonic() > looks_until:
                raise SessionLives(
                    f"{session_id} cannot be deleted yet: {why} Try again in a moment."
                )
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        self.remove(user, session_id)
        return [session_id]

    async def all_ended(self, user: str, sessions: Iterable[Session]) -> list[str]:
        """
        Raises
        ------
        SchedulerUnavailable
        """
        ended = [session.session_id for session in sessions if not session.live]
        kept = await self._why_not(user, ended)
        gone = []
        for session_id in ended:
            if session_id in kept:
                continue
            try:
                self.remove(user, session_id)
            except RecordsUnwritable as e:  # who asks for this one alone is told so
                log.warning("%s", e)
            else:
                gone.append(session_id)
        return gone

    def remove(self, user: str, session_id: str) -> None:
        """The record and its logs, whatever state it is in.

        Raises
        ------
        RecordsUnwritable
        """
        try:
            directory = self._launcher.log_directory(session_id)
            for name in LOGS:
                (directory / f"{name}.log").unlink(missing_ok=True)
        except (
            OSError,
            MoonlightError,
        ) as e:  # the place of logs is away: the record need not wait
            log.warning("the logs of %s stay: %s", session_id, e)
        else:
            with contextlib.suppress(OSError):
                directory.rmdir()
        self._store.remove(user, session_id)
        if session_id in self._store.ids(user):
            raise RecordsUnwritable(
                f"The record of {session_id} cannot be deleted: its directory "
                f"{self._store.directory(session_id)} cannot be changed. Try again when it can."
            )

    async def _why_not(self, user: str, ended: Collection[str]) -> dict[str, str]:
        """Those that are still somebody's work, and a sentence about each; what runs is ended."""
        scheduler = self._launcher.scheduler
        busy = {
            session_id: "its last processes are being ended."
            for session_id in ended
            if not await scheduler.settled(session_id)
        }
        place = await scheduler.place()
        here = [i for i in ended if (f := self._facts(user, i)) and not self._elsewhere(f, place)]
        found = await self._in_time(scheduler.find(here)) if here else {}
        snapshot = await scheduler.query(list(found.values())) if found else Snapshot()
        if snapshot.stale_since or snapshot.doubts or not snapshot.complete:
            raise SchedulerUnavailable(f"{_UNCERTAIN}: {snapshot.stale_reason or 'it is not sure'}")
        for session_id, job_id in found.items():
            info = snapshot.jobs.get(job_id)
            # One that is being cleaned up has ended for good.
            if info is None or info.state.ended or info.state is JobState.ENDING:
                continue
            if session_id in busy:
                continue
            await self._in_time(scheduler.cancel(job_id))
            what = f"the batch system still has its job {job_id} ({info.state.value})"
            busy[session_id] = f"{what}, which is being ended now."
        return busy

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await asyncio.wait_for(work, self._site.answer_seconds)
        except asyncio.TimeoutError:
            raise SchedulerUnavailable(f"{_UNCERTAIN}: it does not answer.") from None

    def _facts(self, user: str, session_id: str) -> Facts | None:
        return self._store.get(user, session_id, "facts", Facts)

    def _elsewhere(self, facts: Facts, place: str) -> bool:
        return self._launcher.elsewhere(facts, place)
