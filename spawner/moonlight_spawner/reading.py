"""Reads sessions: their records, the batch system's answer and the agents' words, put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from pydantic import ValidationError

from . import derive as rules
from .files import read_shared
from .launch import Launcher
from .records import AgentStatus, Facts, Job, Seen, Stop
from .scheduler import JobInfo, Scheduler, Snapshot
from .session import End, Model, Session, now
from .store import FileStore
from .store.base import Part

log = logging.getLogger(__name__)


class SessionReader:
    """What a user sees, and the records that a look at it brings up to date.

    A record that cannot be written (a full home) spoils no look: it is written at the next one.
    """

    def __init__(self, store: FileStore, scheduler: Scheduler, launcher: Launcher):
        self._store = store
        self._scheduler = scheduler
        self._launcher = launcher

    async def read(self, user: str, ids: Iterable[str]) -> list[Session]:
        """The sessions that there are of these, the batch system asked once for all of them."""
        facts = {i: f for i in ids if (f := self._store.get(user, i, "facts", Facts))}
        ends = {i: self._store.get(user, i, "end", End) for i in facts}
        jobs = {i: self._store.get(user, i, "job", Job) for i in facts}
        live = [i for i in facts if ends[i] is None]
        away = set()
        snapshot = Snapshot()
        if live:
            known = {job.job_id for i in live if (job := jobs[i])}
            # Asked even about no job: it tells whether anybody answers.
            snapshot, place = await asyncio.gather(
                self._scheduler.query(known), self._scheduler.place()
            )
            away = {i for i in live if self._launcher.elsewhere(facts[i], place)}
            unconfirmed = [facts[i] for i in live if jobs[i] is None and i not in away]
            # Who does not answer one question is not asked the next.
            if snapshot.stale_since is None:
                found = await self._confirm(unconfirmed)
                if found:
                    jobs |= found
                    known |= {job.job_id for job in found.values()}
                    snapshot = await self._scheduler.query(known)
        sessions = []
        for i, fact in facts.items():
            end = ends[i] or self._store.get(user, i, "end", End)
            sessions.append(self._one(fact, jobs[i], end, snapshot if i not in away else None))
        return sessions

    def agent_status(self, session_id: str) -> AgentStatus | None:
        """What the session's agent says, None if it says nothing that can be read."""
        path = self._store.directory(session_id) / "status.json"
        try:
            data = read_shared(path)
            return AgentStatus.model_validate_json(data) if data else None
        except (OSError, ValidationError) as e:  # one damaged file must not hide all sessions
            log.error("%s cannot be read and is passed over: %s", path, e)
            return None

    async def _confirm(self, unconfirmed: list[Facts]) -> dict[str, Job]:
        try:
            return await self._launcher.confirm(unconfirmed)
        except OSError as e:
            log.error("jobs cannot be put on record: %s", e)
            return {}

    def _one(
        self, facts: Facts, job: Job | None, end: End | None, snapshot: Snapshot | None
    ) -> Session:
        """One session; no ``snapshot`` for one of another machine or cluster."""
        user, session_id = facts.user, facts.session_id
        stop = self._store.get(user, session_id, "stop", Stop)
        agent = self.agent_status(session_id)
        if snapshot is None:
            snapshot = rules.not_from_here(facts, agent)
        info = self._last_seen(facts, snapshot.jobs.get(job.job_id)) if job else None
        session = rules.derive(facts, job, stop, end, info, snapshot, agent, now())
        if end is None and session.status.ended:
            reason = End(
                state=session.status,
                reason=session.reason,
                code=session.reason_code,
                ended_at=session.ended_at or now(),
            )
            self._keep(facts, "end", reason)
        elif stop and session.live:
            self._launcher.cancel_again(user, session_id)
        return session

    def _last_seen(self, facts: Facts, info: JobInfo | None) -> JobInfo | None:
        """Remember the batch system's answer; without one, the remembered answer."""
        seen = self._store.get(facts.user, facts.session_id, "seen", Seen)
        if info is None:
            return seen.job if seen else None
        if seen is None or seen.job != info:
            self._keep(facts, "seen", Seen(job=info))
        return info

    def _keep(self, facts: Facts, part: Part, data: Model) -> None:
        try:
            if part == "seen":
                self._store.put(facts.user, facts.session_id, part, data)
            else:
                self._store.put_once(facts.user, facts.session_id, part, data)
        except OSError as e:
            log.error("%s: %s cannot be put on record: %s", facts.session_id, part, e)
