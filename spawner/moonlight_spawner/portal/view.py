"""What all services show of all users' sessions: records in Redis, one answer of Slurm's, one reader.

To look at sessions costs no process of their user. What is derived here is shown and not put on record
as an end: the user's own side derives the same of the same facts, and its word is the one that stays.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..model.errors import LimitReached, NotFound, StoreUnavailable
from ..model.records import AgentStatus, Facts, Job, SessionRecord
from ..model.session import End, Model, Session, State, newest_first, now
from ..scheduler.base import same_place
from ..sessions.reach import Reach, gateway_target
from ..sessions.reading import SessionReader
from ..site.options import MoonlightSite
from ..store.base import Part
from ..store.redis import RedisStore
from ..store.snapshot import RecordsThen
from .derived import Derived
from .freshness import OTHER_DOORS_SECONDS, serves_for
from .jobs import Jobs, UsersJobs, by_owner

log = logging.getLogger(__name__)

# Redis's clock may be before ours; a time from the future says nothing.
_CLOCKS_SECONDS = 5.0
# So long is made of records before others of the service's have their turn.
_AT_A_TIME_SECONDS = 0.02


@dataclass
class Hands:
    """What a look finds to be done at the user's own side, by whom the files and jobs can be reached."""

    scheduler: str
    #: Sessions whose stop the batch system has not taken.
    to_stop: list[str] = field(default_factory=list)

    def elsewhere(self, facts: Facts, place: str) -> bool:
        return facts.scheduler != self.scheduler or not same_place(place, facts.place)

    async def confirm(self, unconfirmed: Sequence[Facts]) -> dict[str, Job]:
        return {}

    def cancel_again(self, facts: Facts) -> None:
        self.to_stop.append(facts.session_id)

    def last_words(self, session: Session) -> tuple[str, str] | None:
        return None


@dataclass(frozen=True)
class Look:
    """A user's sessions, newest first. ``serves``: seconds since the user's side was asked last after
    which it has to be asked again; ``silent``: sessions that run, whose gateways may be asked in its
    place, so that this ``serves_else`` seconds; ``to_stop``: sessions whose stop it has to say again."""

    sessions: list[Session]
    serves: float
    silent: list[str]
    serves_else: float
    to_stop: list[str]


class View:
    """Reads and keeps records; it asks nobody but Redis and Slurm."""

    def __init__(self, site: MoonlightSite, store: RedisStore, jobs: Jobs):
        self._site = site
        self._store = store
        self._jobs = jobs
        self._told: set[str] = set()
        self._adopted: dict[str, float] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def look(self, user: str, session_id: str | None = None) -> Look:
        """All sessions of a user, or one.

        Raises
        ------
        StoreUnavailable
        """
        then = await asyncio.to_thread(self._store.snapshot, user)
        ids = then.ids(user)
        if session_id is not None:
            ids = [session_id] if session_id in ids else []
        looks = await self._read(then, {user: ids})
        return looks[user]

    async def everybodys(self) -> dict[str, Look]:
        """The same for all users, with one question to each of Redis and Slurm.

        Raises
        ------
        StoreUnavailable
        """
        then = await asyncio.to_thread(self._store.snapshot_all)
        return await self._read(then, {user: then.ids(user) for user in then.users()})

    async def unrecorded(self) -> dict[str, list[str]]:
        """Sessions that jobs in the queue are named for and that are not on record, by whose jobs they
        are.

        Raises
        ------
        StoreUnavailable
        """
        named = await self._jobs.sessions()
        if not named:
            return {}
        known = set(await asyncio.to_thread(self._store.live))
        found: dict[str, list[str]] = {}
        for session_id, user in named.items():
            if (user, session_id) not in known:
                found.setdefault(user, []).append(session_id)
        return found

    async def age(self, user: str) -> float:
        """Seconds since the user's own records were put beside ours, by whichever service; infinite if
        Redis knows of no time.

        Raises
        ------
        StoreUnavailable
        """
        at = await asyncio.to_thread(self._store.adopted_at, user)
        if at is None:
            return float("inf")
        ours = time.monotonic() - self._adopted.get(user, float("-inf"))
        age = (now() - at).total_seconds()
        return min(ours, age if age > -_CLOCKS_SECONDS else float("inf"))

    async def known(self, user: str) -> list[str]:
        return await asyncio.to_thread(self._store.ids, user)

    async def adopt(self, user: str, before: Collection[str], records: list[SessionRecord]) -> bool:
        """Put what the user's side says in the place of what is here; whether that changed anything.

        ``before``: the sessions that were here when it was asked. Those that it does not have are
        forgotten; one that began meanwhile is not.

        Raises
        ------
        StoreUnavailable
        """

        def adopt() -> bool:
            gone = set(before) - {record.facts.session_id for record in records}
            for session_id in gone:  # first: there is room for so many
                self._store.remove(user, session_id)
            changed = []
            for record in records:
                try:
                    changed.append(self._keep(user, record))
                # Names that differ in some signs alone have ids of one form.
                except (LimitReached, NotFound) as e:
                    log.warning("what %s's side says of a session is not kept: %s", user, e)
            self._store.touch_adopted(user)
            return any(changed) or bool(gone)

        changed = await asyncio.to_thread(adopt)
        self._adopted[user] = time.monotonic()
        return changed

    async def keep(self, user: str, record: SessionRecord) -> None:
        """
        Raises
        ------
        StoreUnavailable
        """
        await asyncio.to_thread(self._keep, user, record)

    async def forget(self, user: str, session_ids: Iterable[str]) -> None:
        """
        Raises
        ------
        StoreUnavailable
        """

        def forget() -> None:
            for session_id in session_ids:
                self._store.remove(user, session_id)

        await asyncio.to_thread(forget)

    async def heard(self, user: str, session_id: str, status: AgentStatus) -> bool:
        """Keep an agent's words if they are its newest; whether they are, and the session is on record.

        Raises
        ------
        StoreUnavailable
        """

        def keep() -> bool:
            if status.gateway is None:  # left out on the way; where it is does not change
                last = self._store.snapshot(user).get(user, session_id, "status", AgentStatus)
                if last and last.started_at == status.started_at:
                    status.gateway = last.gateway
            return self._store.put_newer(user, session_id, "status", status, rank(status))

        return await asyncio.to_thread(keep)

    async def reach(self, user: str, session_id: str) -> Reach | None:
        """How to reach a session's desktop, or how it ended; None if that is not known here.

        Raises
        ------
        StoreUnavailable
        """

        def look() -> Reach | None:
            then = self._store.snapshot(user)
            status = then.get(user, session_id, "status", AgentStatus)
            end = then.get(user, session_id, "end", End) or (status.end if status else None)
            if end or status is None or status.gateway is None:
                return Reach(None, end) if end else None
            token = self._store.secret(user, session_id, "token")
            if token is None:
                return None
            away = self._site.batch_system != "local"
            return Reach(gateway_target(status.gateway, token, away), None)

        return await asyncio.to_thread(look)

    async def close(self) -> None:
        await asyncio.gather(*self._writing, return_exceptions=True)
        await self._jobs.close()

    async def _read(
        self, then: RecordsThen, wanted: Mapping[str, Collection[str]]
    ) -> dict[str, Look]:
        jobs: dict[str, Job] = {}
        for user, ids in wanted.items():
            for session_id in ids:
                live = "end" not in then.parts(user, session_id)
                if live and (job := then.get(user, session_id, "job", Job)):
                    jobs[session_id] = job
        everybodys, place = await asyncio.gather(
            self._jobs.snapshot({job.job_id for job in jobs.values()}), self._jobs.place()
        )
        looks, of = {}, by_owner(everybodys)
        began = time.monotonic()
        for user, ids in wanted.items():
            if time.monotonic() - began > _AT_A_TIME_SECONDS:
                await asyncio.sleep(0)  # streams and other requests do not wait for a long list
                began = time.monotonic()
            theirs = UsersJobs(self._site.batch_system, of(user), place)
            looks[user] = await self._look(then, user, ids, theirs, jobs)
        self._write_soon(then)
        return looks

    async def _look(
        self,
        then: RecordsThen,
        user: str,
        ids: Collection[str],
        theirs: UsersJobs,
        jobs: Mapping[str, Job],
    ) -> Look:
        infos = {i: theirs.snapshot.jobs.get(jobs[i].job_id) if i in jobs else None for i in ids}
        derived: dict[str, Derived] = {}
        for i in ids:
            known = then.beside(user, i).get("derived")
            if known and known.holds(infos[i], theirs.snapshot):
                derived[i] = known
        hands = Hands(self._site.batch_system)
        if anew := [i for i in ids if i not in derived]:
            reader = SessionReader(then, theirs, hands, self._told)
            for session in await reader.read(user, anew):
                i = session.session_id
                ended = "end" in then.parts(user, i)
                status = None if ended else then.get(user, i, "status", AgentStatus)
                words = status.beat if status else None
                serves = serves_for(session, words, ended, infos[i] is not None, now())
                derived[i] = Derived.now(session, serves, ended, infos[i], theirs.snapshot, words)
                then.beside(user, i)["derived"] = derived[i]
        sessions = newest_first(one.session for one in derived.values())
        silent = {i for i, one in derived.items() if _may_be_asked(one)}
        serves = min((one.serves for one in derived.values()), default=OTHER_DOORS_SECONDS)
        others = (one.serves for i, one in derived.items() if i not in silent)
        serves_else = min(others, default=OTHER_DOORS_SECONDS)
        return Look(sessions, serves, sorted(silent), serves_else, hands.to_stop)

    def _keep(self, user: str, record: SessionRecord) -> bool:
        session_id, status = record.facts.session_id, record.status
        parts: dict[Part, Model | None] = {"facts": record.facts, "job": record.job}
        parts |= {"seen": record.seen, "missed": record.missed}
        if record.stop:  # once said, they stay: an answer may be older than what is here
            parts["stop"] = record.stop
        if record.end:
            parts["end"] = record.end
        name = record.name
        if name and name.at is None:  # by a version that wrote no time
            parts["name"] = name
        changed = self._store.adopt(user, session_id, parts)
        if name and name.at:  # the user's last word stays, in whatever order answers come
            at = f"{int(name.at.timestamp() * 1e6):016d}"
            changed = self._store.put_newer(user, session_id, "name", name, at) or changed
        if status:
            newer = self._store.put_newer(user, session_id, "status", status, rank(status))
            changed = newer or changed
        if record.token and self._store.secret(user, session_id, "token") is None:
            self._store.put_secret(user, session_id, "token", record.token.encode())
        return changed

    def _write_soon(self, then: RecordsThen) -> None:
        """What Slurm said last: since when it says so decides what is believed."""
        seen = [change for change in then.changes if change[2] == "seen" and change[3]]
        if not seen:
            return

        def write() -> None:
            try:
                for user, session_id, part, data in seen:
                    if data:
                        self._store.put_newer(user, session_id, part, data)
            except StoreUnavailable as e:
                log.warning("what Slurm says is not on record: %s", e)

        task = asyncio.ensure_future(asyncio.to_thread(write))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)


def _may_be_asked(known: Derived) -> bool:
    session = known.session
    runs = session.status is State.RUNNING and session.gateway is not None
    return runs and known.serves < OTHER_DOORS_SECONDS


def rank(status: AgentStatus) -> str:
    """Grows with each word of an agent, and from one agent of a session to the next."""
    moments = status.started_at.timestamp(), status.beat.timestamp()
    return "".join(f"{max(0, int(n)):013d}" for n in (*moments, getattr(status, "sequence", 0)))
