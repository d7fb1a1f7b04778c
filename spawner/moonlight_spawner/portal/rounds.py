"""What is done for all users every ten seconds, by whichever service holds the lock.

What a session's state is, and how it has ended, is decided where it is for everybody
(:mod:`..sessions.derive`): to look at all sessions puts their ends on record. Here is what somebody has
to ask for besides, of the users' own sides: that they are adopted, stopped and forgotten.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from ..model.errors import MoonlightError, shorten
from ..model.records import END_RESERVE, StopReason
from ..model.session import Session, State, now
from ..site.options import MoonlightSite
from ..store.lock import RedisLock, work_alone

log = logging.getLogger(__name__)

#: The lock is free so long after its holder was last heard of, and asked for so often: together less
#: than the 15 s within which another one has to go on.
LOCK_SECONDS, TRY_SECONDS = 8.0, 2.0
_ROUND_SECONDS = 10.0
# Another service may go on with an older key for a while; whoever takes the rounds over begins with it.
_RENEW_SECONDS = 3600.0
# Beyond its job's limit, which the agent and Slurm keep themselves (Slurm within a minute or two).
_OVERDUE = END_RESERVE + timedelta(minutes=3)
# A stop that Slurm did not hear is said again after this.
_STOP_AGAIN_SECONDS = 60.0
# A job of our name that its user's side does not know is asked about again after this.
_ASK_AGAIN_SECONDS = 600.0
# Users' sides that are asked at a time, beside what the users themselves ask for; who does not answer is
# left alone for longer and longer.
_AT_ONCE = 8
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 30.0, 3600.0


class Portal(Protocol):
    """What a round needs of the portal's manager."""

    async def all_sessions(self) -> Collection[Session]:
        """Everybody's, with what a look at them puts on record."""

    async def unrecorded(self) -> Mapping[str, Collection[str]]:
        """Names of jobs of ours that are in the queue and not on record, by their jobs' users."""

    async def renew(self) -> object:
        """Bring what is on record to the service's newest key."""

    async def adopt(self, user: str) -> object:
        """Put the user's own records beside ours."""

    async def stop(self, user: str, session_id: str, why: StopReason) -> object:
        """End a session."""

    async def reap(self, user: str) -> Collection[str]:
        """Forget what ended longer ago than the site keeps it; gives the ids."""


@dataclass
class _User:
    """One whose side is being asked, or is left alone until a time of the monotonic clock."""

    task: asyncio.Task[None] | None = None
    pause: float = 0.0
    until: float = float("-inf")


Step = Callable[[], Awaitable[None]]


class Rounds:
    """``held`` tells whether the lock is still ours: asked before each step, because a service that stood
    still may have been followed by another."""

    def __init__(self, site: MoonlightSite, portal: Portal, held: Callable[[], bool]):
        self._site = site
        self._portal = portal
        self._held = held
        self._users: dict[str, _User] = {}
        self._live: set[str] = set()
        self._stopping: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._nobodys: set[str] = set()
        self._renewed = float("-inf")

    async def go_on(self) -> None:
        """Round after round, until this is cancelled."""
        try:
            while True:
                if self._held():
                    await self.one()
                await asyncio.sleep(_ROUND_SECONDS)
        finally:
            tasks = [user.task for user in self._users.values() if user.task]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def one(self) -> None:
        """Look at everything once, and begin what is to be done; that goes on behind it."""
        try:
            sessions = await self._portal.all_sessions()
            unrecorded = await self._portal.unrecorded()
            if time.monotonic() - self._renewed > _RENEW_SECONDS:
                await self._portal.renew()
                self._renewed = time.monotonic()
        except MoonlightError as e:
            log.warning("the portal's round is left out: %s", e)
            return
        except Exception:
            log.exception("the portal's round is left out")
            return
        self._tell_ended(sessions)
        self._nobodys &= {name for names in unrecorded.values() for name in names}
        todo: dict[str, list[Step]] = {}
        for user, names in unrecorded.items():
            if wanted := self._unasked(user, names):
                todo.setdefault(user, []).append(self._adopting(user, wanted))
        for session in sessions:
            if why := self._why_to_end(session, now()):
                todo.setdefault(session.user, []).append(self._ending(session, why))
        for user in self._with_old_ones(sessions):
            todo.setdefault(user, []).append(self._forgetting(user))
        for user, steps in todo.items():
            self._begin(user, steps)

    def _tell_ended(self, sessions: Iterable[Session]) -> None:
        for session in sessions:
            if session.live:
                self._live.add(session.session_id)
            elif session.session_id in self._live:
                log.info(
                    "ended session=%s user=%s state=%s reason=%s",
                    *(session.session_id, session.user),
                    *(session.status.value, shorten(session.reason_code)),
                )
        self._live &= {session.session_id for session in sessions if session.live}

    def _unasked(self, user: str, names: Collection[str]) -> list[str]:
        """Those that the user's side was not asked about a while ago. Those of which it knew nothing are
        told: nobody ends them, because a name proves nothing, and any user may give it to a job."""
        clock = time.monotonic()
        self._asked = {n: at for n, at in self._asked.items() if clock - at < _ASK_AGAIN_SECONDS}
        for name in set(names) & set(self._asked) - self._nobodys:
            self._nobodys.add(name)
            log.warning(
                "a job of %s has the name of a session, %s, and %s's side has none of that name that lives: "
                "it is left alone",
                *(user, name, user),
            )
        return [name for name in names if name not in self._asked]

    def _why_to_end(self, session: Session, moment: datetime) -> StopReason | None:
        if not session.live:
            self._stopping.pop(session.session_id, None)
            return None
        if session.status is State.STOPPING:
            clock = time.monotonic()
            if clock - self._stopping.setdefault(session.session_id, clock) < _STOP_AGAIN_SECONDS:
                return None
            self._stopping[session.session_id] = clock
            return StopReason.USER
        # Its times are its user's word, and may be the calendar's last: nothing can be added to them.
        if session.ends_at and moment - session.ends_at > _OVERDUE:
            return StopReason.OVERDUE
        minutes, since = self._site.portal_start_minutes, session.started_at
        late = since and moment - since > timedelta(minutes=minutes)
        if minutes and late and session.status is State.STARTING:
            return StopReason.START_TIMEOUT
        return None

    def _with_old_ones(self, sessions: Iterable[Session]) -> set[str]:
        limit = now() - timedelta(days=self._site.retention_days)
        return {s.user for s in sessions if s.ended_at and s.ended_at < limit}

    def _adopting(self, user: str, names: Collection[str]) -> Step:
        async def adopt() -> None:
            await self._portal.adopt(user)
            self._asked |= dict.fromkeys(names, time.monotonic())
            log.info("adopted user=%s because of %s", user, ", ".join(sorted(names)[:10]))

        return adopt

    def _ending(self, session: Session, why: StopReason) -> Step:
        async def end() -> None:
            await self._portal.stop(session.user, session.session_id, why)
            what = "stopped again" if session.status is State.STOPPING else f"stopped ({why.value})"
            log.info("%s session=%s user=%s", what, session.session_id, session.user)

        return end

    def _forgetting(self, user: str) -> Step:
        async def forget() -> None:
            if gone := await self._portal.reap(user):
                log.info("forgot user=%s sessions=%s", user, ",".join(gone))

        return forget

    def _begin(self, user: str, steps: list[Step]) -> None:
        """What is to be done for one user, unless he is being asked already or does not answer."""
        known = self._users.setdefault(user, _User())
        under_way = sum(one.task is not None for one in self._users.values())
        if known.task or known.until > time.monotonic() or under_way >= _AT_ONCE:
            return
        known.task = asyncio.ensure_future(self._do(user, known, steps))

    async def _do(self, user: str, known: _User, steps: list[Step]) -> None:
        try:
            for step in steps:
                if not self._held():
                    return
                await step()
            known.pause = 0.0
        except Exception as e:
            known.pause = min(_LONGEST_PAUSE_SECONDS, known.pause * 2 or _FIRST_PAUSE_SECONDS)
            known.until = time.monotonic() + known.pause
            log.warning("%s is asked again in %g s: %s", user, known.pause, e)
            if not isinstance(e, MoonlightError):
                log.exception("what was to be done for %s has failed", user)
        finally:
            known.task = None


async def keep_rounds(site: MoonlightSite, portal: Portal, lock: RedisLock) -> None:
    """Make rounds whenever no other service does, until this is cancelled."""

    async def go_on() -> None:
        log.info("this service makes the portal's rounds")
        await Rounds(site, portal, lambda: lock.held).go_on()

    await work_alone(lock, go_on, TRY_SECONDS)


__all__ = ["LOCK_SECONDS", "Portal", "Rounds", "keep_rounds"]
