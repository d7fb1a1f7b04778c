"""The one entrance for every door: create, list, get, stop, logs, reap."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..model.errors import (
    MoonlightError,
    NotFound,
    NotInJob,
    RecordsUnwritable,
    SchedulerUnavailable,
)
from ..model.files import read_shared, tail, write_private
from ..model.records import (
    AgentStatus,
    Callback,
    Name,
    SessionRecord,
    Stop,
    StopReason,
    TurnCredentials,
)
from ..model.sentences import Said
from ..model.session import End, Session, Way, job_named, newest_first, now
from ..scheduler.base import Scheduler
from ..scheduler.choice import make_scheduler
from ..site.choices import KeptChoices, validate_choices
from ..site.options import MoonlightSite
from ..site.request import (
    begins_at_once,
    cannot_be,
    validate_renaming,
    validate_where,
)
from ..store import FileStore
from . import choices
from .damage import Record
from .forgetting import LOGS, Forgetting
from .inside import JobHere, as_the_job_has, find_job, start_beside
from .launch import Launcher
from .reach import TOKEN, Reach, near_target
from .reading import SessionReader
from .recording import Recorder

log = logging.getLogger(__name__)

_NOT_ALWAYS = ("sound", "image")


@dataclass(frozen=True)
class Log:
    """The end of one log. ``size`` is that of the whole file, in bytes."""

    name: str
    size: int
    truncated: bool
    text: str


@dataclass(frozen=True)
class Start:
    """How a session that is on record is started: its job script, and where that logs."""

    script: Path
    log: Path


class SessionManager:
    """Sessions of this process's user.

    Its methods validate what they get and raise :class:`moonlight_spawner.model.errors.MoonlightError`
    with a sentence for the user.
    """

    def __init__(
        self,
        site: MoonlightSite,
        store: FileStore | None = None,
        scheduler: Scheduler | None = None,
    ):
        self.site = site
        self.store = store or FileStore(site.sessions_dir)
        self.scheduler = scheduler or make_scheduler(site, str(self.store.root))
        self._launcher = Launcher(site, self.store, self.scheduler)
        self._reader = SessionReader(self.store, self.scheduler, self._launcher)
        self._recorder = Recorder(site, self.store, self.scheduler, self._reader)
        self._forgetting = Forgetting(site, self.store, self._launcher)
        self.images = self._recorder.images

    async def create(
        self,
        user: str,
        body: Any,
        request_key: str | None = None,
        door: str = "",
        callback: Callable[[str], Callback] | None = None,
        turn: TurnCredentials | None = None,
    ) -> tuple[Session, bool]:
        """Launch a session; the second value is False if ``request_key`` had been used before.

        ``callback``: of a session's id, whom its agent tells of itself, should that be anybody. ``turn``:
        its credentials, where somebody else has made them.

        Raises
        ------
        InvalidRequest, NotFound, ImageUnavailable, LimitReached
            Nothing was submitted: the request cannot be met.
        SchedulerRefused, SchedulerUnavailable
            Nothing was submitted: the batch system said no, or nothing.
        RecordsUnwritable
            Nothing was submitted: there is no room for the session's record.
        """
        new = self._recorder.checked(user, body, request_key, door)
        facts, owner = await self._recorder.record(new)
        if facts is None:
            return await self._created_before(user, owner), False
        try:
            told = callback(facts.session_id) if callback else None
            await self._launcher.submit(facts, told, turn)
        except OSError as e:
            raise self._recorder.unwritable(e, "nothing was submitted") from e
        return await self.get(user, facts.session_id), True

    async def launch(
        self, user: str, body: Any, request_key: str | None = None, door: str = ""
    ) -> tuple[Session, bool]:
        """As :meth:`create`, for a server that may run in a job itself: ``body`` has one field more,
        ``where``, which says whether the desktop is to run in that job, too."""
        where, body = validate_where(body)
        if where == "job" or (where is None and not job_named(os.environ)):
            if not self.can_submit:
                raise cannot_be("job", "Slurm's commands are not to be found on this node.")
            return await self.create(user, body, request_key, door)
        try:
            job = await find_job(self.site)
        except NotInJob as e:
            if where is None:
                return await self.create(user, body, request_key, door)
            raise cannot_be("here", f"there is no such job. {e}") from e
        if job is None and where:
            raise cannot_be("here", "this server does not run in a job of Slurm.")
        if job is None or (where or self.where_by_default(job)) == "job":
            return await self.create(user, body, request_key, door)
        return await self.create_beside(user, body, job, door, request_key)

    async def job_here(self) -> JobHere | None:
        """The job that this server runs in, None if it runs in none."""
        try:
            return await find_job(self.site)
        except NotInJob as e:
            log.info("no desktop can be started beside this server: %s", e)
            return None

    @property
    def can_submit(self) -> bool:
        """Whether there can be jobs of their own: a node may lack Slurm's commands."""
        slurm = self.site.batch_system == "slurm"
        return not slurm or self.site.slurm_command("sbatch") is not None

    def where_by_default(self, job: JobHere | None) -> str:
        """``here`` or ``job``: where a desktop runs if the request does not say it."""
        if job is None or not self.can_submit:
            return "job" if job is None else "here"
        if self.site.launch_where != "auto":
            return str(self.site.launch_where)
        return "job" if self.site.gpus and not job.allocation.gpus else "here"

    async def create_inside(
        self,
        user: str,
        body: Any,
        job: JobHere,
        way: Way,
        door: str,
        request_key: str | None = None,
    ) -> tuple[str, Start | None]:
        """Put a session on record that is to run in the job this process is in.

        Gives its id and how to start it: not started here, because a command becomes its process and
        a server has one beside itself. None: ``request_key`` had been used before.

        Raises
        ------
        InvalidRequest, NotFound, ImageUnavailable, LimitReached, RecordsUnwritable
            Nothing is on record.
        """
        new = self._recorder.checked(user, body, request_key, door)
        if new.resources.begin:
            raise begins_at_once(new.resources.begin)
        new = replace(new, resources=as_the_job_has(new.resources, job.allocation))
        facts, owner = await self._recorder.record(new, job, way)
        if facts is None:
            return owner, None
        try:
            request = self._launcher.prepare(facts)
            script = request.directory / "job.sh"
            write_private(script, request.script)
        except BaseException as e:
            self.store.remove(user, facts.session_id)
            if isinstance(e, OSError):
                raise self._recorder.unwritable(e, "nothing was started") from e
            raise
        return facts.session_id, Start(script, request.log)

    async def create_beside(
        self, user: str, body: Any, job: JobHere, door: str, request_key: str | None = None
    ) -> tuple[Session, bool]:
        """Launch a guest of the job that this server runs in, as a process that outlives it.

        As :meth:`create`; SchedulerUnavailable if it cannot be started here.
        """
        session_id, start = await self.create_inside(user, body, job, Way.GUEST, door, request_key)
        if start is None:
            return await self._created_before(user, session_id), False
        try:
            await start_beside(start.script, start.log)
        except BaseException:
            self.store.remove(user, session_id)
            raise
        return await self.get(user, session_id), True

    async def sessions(self, user: str) -> list[Session]:
        """The user's sessions, newest first."""
        sessions = await self._reader.read(user, self.store.ids(user))
        return newest_first(sessions)

    def sign_of_agent(self, user: str, session_id: str) -> object:
        """What is another as soon as a session's agent has said something, and costs next to nothing."""
        try:
            status = (self.store.directory(session_id) / "status.json").stat()
        except (OSError, MoonlightError):  # it has not spoken yet, or nobody may look there now
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    async def get(self, user: str, session_id: str) -> Session:
        """One session.

        Raises
        ------
        NotFound
        """
        sessions = await self._reader.read(user, [session_id])
        if not sessions:
            raise NotFound(f"There is no session {session_id[:80]} of {user}.")
        return sessions[0]

    async def stop(self, user: str, session_id: str, why: StopReason = StopReason.USER) -> Session:
        """End a session. It answers soon: what cannot be done now is done as soon as Slurm answers.

        Also one that is shown as ended: a note tells what the batch system still had of it.

        Raises
        ------
        NotFound
        """
        session = await self.get(user, session_id)
        facts = self._reader.facts(user, session_id)
        if facts is None:
            raise NotFound(f"There is no session {session_id[:80]} of {user}.")
        try:
            self.store.put_once(user, session_id, "stop", Stop(why=why))
        except OSError as e:  # a full home must not keep a session alive
            log.error("%s: the stop cannot be put on record: %s", session_id, e)
        if session.live:
            await self._launcher.finish_soon(self._launcher.cancel(facts))
            return await self.get(user, session_id)
        # What is shown as ended may live all the same (a job that was put back into the queue).
        left = await self._launcher.finish_soon(self._launcher.end_remains(facts))
        if left is None:
            left = Said.by(
                "RemainsUnknown",
                "Whether the batch system still has its job is not known: it does not answer.",
            )
        if left:
            session.notes = [*session.notes, left]
        return session

    async def rename(self, user: str, session_id: str, body: Any) -> Session:
        """Call a session, live or ended, what ``{"name": "…"}`` says; nothing if that is empty.

        Raises
        ------
        InvalidRequest, NotFound, RecordsUnwritable
        """
        text = validate_renaming(body)
        await self.get(user, session_id)
        try:
            before = self.store.get(user, session_id, "name", Name) or Name(text="")
            self.store.put(user, session_id, "name", before.followed_by(text))
        except OSError as e:
            raise self._recorder.unwritable(e, "its name is what it was") from e
        return await self.get(user, session_id)

    async def choices(self, user: str) -> KeptChoices:
        """What the user chose in the launch form.

        Raises
        ------
        ChoicesUnavailable, UnsafeDirectory
        """
        return await choices.kept(self.store, user)

    async def keep_choices(self, user: str, body: Any) -> KeptChoices:
        """Keep what ``{"revision": "…", "choices": {…}}`` says, if it was made of what is kept.

        Raises
        ------
        InvalidRequest, ChoicesChanged, ChoicesUnavailable, UnsafeDirectory
        """
        return await choices.keep(self.store, user, *validate_choices(body))

    async def forget(self, user: str, session_id: str | None = None) -> list[str]:
        """Delete what is on record of a session that has ended, with its logs, or of all that have;
        gives the ids of what is deleted. Of all, those that may still live are left out.

        Raises
        ------
        NotFound
        SessionLives
            It has not ended, or the batch system still had its job, which is ended now.
        SchedulerUnavailable
            Whether they have ended is not certain: nothing was deleted.
        """
        if session_id is None:
            return await self._forgetting.all_ended(user, await self.sessions(user))
        return await self._forgetting.one(user, await self.get(user, session_id))

    async def settled(self, session_id: str) -> bool:
        """Whether nobody writes into an ended session's directory any more."""
        return await self.scheduler.settled(session_id)

    async def logs(self, user: str, session_id: str, limit: int = 65536) -> list[Log]:
        """The ends of the session's logs, at most ``limit`` bytes each."""
        await self.get(user, session_id)
        directory = self._launcher.log_directory(session_id)
        found = []
        for name in LOGS:
            text, size = tail(directory / f"{name}.log", limit)
            if size or name not in _NOT_ALWAYS:
                found.append(Log(name, size, size > limit, text))
        return found

    def reach(self, user: str, session_id: str) -> Reach:
        """How to reach the session's desktop now. Asks no batch system: a stream must not wait.

        Raises
        ------
        NotFound
        """
        if self._reader.facts(user, session_id) is None:
            raise NotFound(f"There is no session {session_id[:80]} of {user}.")
        end = self.store.get(user, session_id, "end", End)
        agent = self.store.get(user, session_id, "status", AgentStatus)
        end = end or (agent.end if agent else None)
        if end or agent is None or agent.gateway is None:
            return Reach(None, end)
        token = self._token(session_id)
        return Reach(None if token is None else near_target(agent.gateway, token), None)

    def record(self, user: str, session_id: str) -> SessionRecord:
        """All that is on record of a session, as it was when it was last looked at.

        Raises
        ------
        NotFound
        """
        record = Record(self.store, user, session_id, self.scheduler.name)
        if record.facts is None:
            raise NotFound(f"There is no session {session_id[:80]} of {user}.")
        token = (self._token(session_id) or b"").decode("ascii", "replace")
        return record.copy(record.facts, token if TOKEN.fullmatch(token) else None)

    def _token(self, session_id: str) -> bytes | None:
        """What opens the session's gateway; None if it cannot be read."""
        try:
            return (read_shared(self.store.directory(session_id) / "token") or b"").strip()
        except OSError as e:
            log.error("%s cannot be reached: %s", session_id, e)
            return None

    async def reap(self, user: str) -> list[str]:
        """Forget sessions that ended longer ago than the site keeps them; gives their ids."""
        limit = now() - timedelta(days=self.site.retention_days)
        old = [s for s in await self.sessions(user) if s.ended_at and s.ended_at < limit]
        gone = []
        for session in old:
            try:
                self._forgetting.remove(user, session.session_id)
            except RecordsUnwritable as e:
                log.error("%s", e)
            else:
                gone.append(session.session_id)
        return gone

    async def settle(self) -> None:
        """Wait for what goes on behind answers, such as a submission that Slurm has not confirmed."""
        await self._launcher.settle()

    async def close(self) -> None:
        """End background work. Sessions go on."""
        await self._launcher.close()
        await self.scheduler.close()

    async def _created_before(self, user: str, session_id: str) -> Session:
        """The session of a repeated request, unless its submission has failed this moment."""
        try:
            return await self.get(user, session_id)
        except NotFound:
            raise SchedulerUnavailable(
                "The same request has failed a moment ago. Try again in a moment."
            ) from None


__all__ = ["Log", "MoonlightError", "Reach", "SessionManager"]
