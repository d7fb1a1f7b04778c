"""Reads sessions: their records, the batch system's answer and the agents' words, put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime

from ..model.job import JobInfo, JobState
from ..model.records import Facts, Job, Missed, Name, Seen, Stop
from ..model.sentences import Said
from ..model.session import End, Model, Session, State, now
from ..scheduler.base import Asks, Snapshot
from ..store import Store
from ..store.base import Part
from .damage import Record
from .derive import derive, not_from_here
from .ends import Since
from .hands import Hands

log = logging.getLogger(__name__)


class SessionReader:
    """What a user sees, and the records that a look at it brings up to date.

    A record that cannot be written (a full home) spoils no look: it is written at the next one. One
    that cannot be read spoils that of its own session only, which says so.
    """

    def __init__(self, store: Store, scheduler: Asks, hands: Hands, told: set[str] | None = None):
        self._store = store
        self._scheduler = scheduler
        self._hands = hands
        self._told = set() if told is None else told

    async def read(self, user: str, ids: Iterable[str]) -> list[Session]:
        """The sessions that there are of these, the batch system asked once for all of them."""
        records = {i: r for i in ids if (r := self._record(user, i)).facts}
        facts = {i: r.facts for i, r in records.items() if r.facts}
        ends = {i: r.part("end", End) for i, r in records.items()}
        jobs = {i: r.part("job", Job) for i, r in records.items()}
        live = [i for i in facts if ends[i] is None]
        away = set()
        snapshot = Snapshot()
        place = ""
        if live:
            known = {job.job_id for i in live if (job := jobs[i])}
            # Asked even about no job: it tells whether anybody answers.
            snapshot, place = await asyncio.gather(
                self._scheduler.query(known), self._scheduler.place()
            )
            away = {i for i in live if self._hands.elsewhere(facts[i], place)}
            unconfirmed = [facts[i] for i in live if jobs[i] is None and i not in away]
            # Who does not answer one question is not asked the next.
            if snapshot.stale_since is None:
                found = await self._confirm(unconfirmed)
                if found:
                    jobs |= found
                    known |= {job.job_id for job in found.values()}
                    snapshot = await self._scheduler.query(known)
            away |= {i for i in live if (job := jobs[i]) and job.job_id in snapshot.strangers}
        sessions = []
        for i, record in records.items():
            end = ends[i] or self._store.get(user, i, "end", End)
            seen_from = None if i in away else snapshot
            sessions.append(self._whatever_comes(record, facts[i], jobs[i], end, seen_from, place))
        return sessions

    def facts(self, user: str, session_id: str) -> Facts | None:
        """What was asked for, as far as it can be read; None if there is no such session."""
        return self._record(user, session_id).facts

    def _record(self, user: str, session_id: str) -> Record:
        return Record(self._store, user, session_id, self._scheduler.name)

    async def _confirm(self, unconfirmed: list[Facts]) -> dict[str, Job]:
        try:
            return await self._hands.confirm(unconfirmed)
        except OSError as e:
            log.error("jobs cannot be put on record: %s", e)
            return {}

    def _whatever_comes(
        self,
        record: Record,
        facts: Facts,
        job: Job | None,
        end: End | None,
        snapshot: Snapshot | None,
        place: str,
    ) -> Session:
        """One session; no ``snapshot`` for one of another machine or cluster."""
        try:
            session = self._one(record, facts, job, end, snapshot, place)
        except Exception as e:  # values that can be read and make no sense, such as times
            log.exception("the record of %s makes no sense", facts.session_id)
            session = _bare(facts, job, end, f"{type(e).__name__}: {e}")
        if name := record.part("name", Name):
            session.name = name.text
        notes = record.notes()
        if notes:
            self._tell(notes)
            session.notes = [*session.notes, *notes]
            if session.status is State.RUNNING and not session.reason:
                session.reason, session.reason_code = str(notes[0]), notes[0].code
                session.reason_params = notes[0].params
        return session

    def _tell(self, notes: list[Said]) -> None:
        for note in notes:
            if note not in self._told:  # once, not at each look
                self._told.add(note)
                log.error("%s", note)

    def _one(
        self,
        record: Record,
        facts: Facts,
        job: Job | None,
        end: End | None,
        snapshot: Snapshot | None,
        place: str,
    ) -> Session:
        stop = record.part("stop", Stop)
        if stop is None and "stop" in record.damaged:  # that it is there is the word itself
            stop = Stop(requested_at=facts.created_at)
        agent = record.agent()
        if snapshot is None:
            snapshot = not_from_here(facts, agent, place)
        seen, missing = None, None
        if job and end is None:
            seen = self._last_seen(record, facts, snapshot.jobs.get(job.job_id))
            missing = self._missing(record, facts, job, snapshot)
        elif job:
            seen = record.part("seen", Seen)
        info = seen.job if seen else None
        since = Since(said=seen.at if seen else None, missing=missing)
        session = derive(facts, job, stop, end, info, snapshot, agent, now(), since)
        if end is None and agent is None and session.reason_code == JobState.FAILED.name:
            session = self._with_last_words(session)
        if end is None and session.status.ended:
            reason = End(
                state=session.status,
                reason=session.reason,
                code=session.reason_code,
                params=session.reason_params,
                ended_at=session.ended_at or now(),
            )
            self._keep(record, facts, "end", reason)
        elif stop and session.live:
            self._hands.cancel_again(facts)
        return session

    def _with_last_words(self, session: Session) -> Session:
        """One whose agent never spoke: its log did, or there is none."""
        if words := self._hands.last_words(session):
            told = {"reason": words[0], "reason_code": words[1], "reason_params": {}}
            session = session.model_copy(update=told)
        return session

    def _last_seen(self, record: Record, facts: Facts, info: JobInfo | None) -> Seen | None:
        """Remember the batch system's answer; without one, the remembered answer."""
        seen = record.part("seen", Seen)
        if info is None or (seen and seen.job == info):
            return seen
        # Since when it says so: its place in the queue, say, moves all the time.
        same = seen and (seen.job.state, seen.job.code) == (info.state, info.code)
        seen = Seen(job=info, at=seen.at) if seen and same else Seen(job=info)
        self._keep(record, facts, "seen", seen)
        return seen

    def _missing(
        self, record: Record, facts: Facts, job: Job, snapshot: Snapshot
    ) -> datetime | None:
        """Since when the batch system answers and has no such job; None if it has, or does not answer."""
        if job.job_id in snapshot.jobs and job.job_id not in snapshot.unlisted:
            if record.part("missed", Missed):
                self._store.drop(facts.user, facts.session_id, "missed")
            return None
        if not snapshot.complete or job.job_id in snapshot.doubts:
            return None
        missed = record.part("missed", Missed)
        if missed is None:
            missed = Missed()
            self._keep(record, facts, "missed", missed)
        return missed.since

    def _keep(self, record: Record, facts: Facts, part: Part, data: Model) -> None:
        user, session_id = facts.user, facts.session_id
        try:
            if part in record.damaged:
                self._store.mend(user, session_id, part, data)
            elif part == "seen":
                self._store.put(user, session_id, part, data)
            else:
                self._store.put_once(user, session_id, part, data)
        except OSError as e:
            log.error("%s: %s cannot be put on record: %s", session_id, part, e)


def _bare(facts: Facts, job: Job | None, end: End | None, why: str) -> Session:
    """A session of which nothing can be made but that it is there."""
    return Session(
        session_id=facts.session_id,
        user=facts.user,
        image_id=facts.image_id,
        image_name=facts.image_name,
        image_names=facts.image_names,
        status=end.state if end else State.STARTING,
        reason=end.reason
        if end
        else f"The session's record makes no sense ({why}); it can be stopped.",
        reason_code=end.code if end else "DamagedRecord",
        host=facts.host,
        request=facts.request,
        scheduler=facts.scheduler,
        slurm_job_id=job.job_id if job and facts.scheduler == "slurm" else None,
        created_at=facts.created_at,
        ended_at=end.ended_at if end else None,
    )
