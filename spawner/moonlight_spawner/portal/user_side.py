"""The manager of other users' sessions: what the service asks for, each user's own side does."""

from __future__ import annotations

import asyncio
import pwd
from collections.abc import Coroutine, Hashable
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from ..model.errors import ChoicesChanged, UserSideUnavailable, shorten
from ..model.measured import measured
from ..model.records import SessionRecord, StopReason
from ..model.session import Session, may_be_of
from ..scheduler.choice import make_scheduler
from ..sessions.control import Reading
from ..sessions.inside import JobHere
from ..sessions.manager import Log
from ..sessions.reach import Reach, gateway_target
from ..site.choices import KeptChoices, validate_choices
from ..site.images import Catalogue, Image
from ..site.options import MoonlightSite
from ..site.request import (
    cannot_be,
    validate_renaming,
    validate_request,
    validate_request_key,
    validate_where,
)
from . import protocol
from .answers import check_id, not_believed, own_record, own_session, wrong_gateway
from .callback import Callbacks
from .sides import Sides
from .turn import for_launch

A = TypeVar("A", bound=BaseModel)
T = TypeVar("T")

_ANY_IMAGE = "any"  # stands for the user's default
_REACH_SECONDS = 10.0


class UserSideManager:
    """In the place of :class:`..sessions.manager.SessionManager`, for any user: the same methods, all
    of them coroutines (``reach`` too), with the same errors and these besides:

    UserSideUnavailable, UserSideBusy
        Nothing was done.
    UserSideTimeout
        It may still be done.
    UserSideFailed
        The side ended without an answer, or with one that cannot be this user's.

    What comes back was made by the user, who may have changed his own records: each session is of his
    name and has an id of his form, and a gateway is where a gateway of this site can be. What else is
    in it is his word.
    """

    def __init__(self, site: MoonlightSite, callbacks: Callbacks | None = None):
        self.site = site
        self._callbacks = callbacks
        #: The batch system as the service itself asks it.
        self.scheduler = make_scheduler(site, "")
        #: The images as the service sees them; :meth:`images_of` as a user does.
        self.images = Catalogue(site)
        self._sides = Sides(
            site.user_side_command,
            site.user_side_seconds,
            site.user_sides,
            site.user_sides_each,
            # Without a batch system desktops begin there, and would be as nice.
            nice=site.batch_system != "local",
        )
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reached: dict[tuple[str, str], tuple[float, Reach]] = {}

    can_submit = True

    async def job_here(self) -> JobHere | None:
        """The service runs in no job."""
        return None

    def sign_of_agent(self, user: str, session_id: str) -> object:
        """Its file is another user's; a portal is told by the agents themselves."""
        return None

    def where_by_default(self, job: JobHere | None = None) -> str:
        return "job"

    async def launch(
        self, user: str, body: Any, request_key: str | None = None, door: str = "portal"
    ) -> tuple[Session, bool]:
        """As :meth:`create`; ``where`` may be in ``body`` and can only be ``job``."""
        where, body = validate_where(body)
        if where == "here":
            raise cannot_be("here", "this server does not run in a job of Slurm.")
        return await self.create(user, body, request_key, door)

    async def create(
        self, user: str, body: Any, request_key: str | None = None, door: str = "portal"
    ) -> tuple[Session, bool]:
        """Launch a session; the second value is False if ``request_key`` had been used before.

        What is asked is checked here already: what is wrong needs no process to be told so. That the
        image is there, and all else that is the user's, his own side finds out.
        """
        validate_request_key(request_key)
        resources = validate_request(body, self.site, _ANY_IMAGE)
        request = {"operation": "create", "door": door, "body": body, "key": request_key}
        if self._callbacks:
            request["callback"] = self._callbacks.given_to(user)
        if turn := for_launch(self.site, user, resources):
            request["turn"] = turn.model_dump()
        try:
            answer = await self._ask(user, request, protocol.Created)
        finally:
            self._changed(user)
        session = own_session(user, answer.session)
        await self._learned(user, session.session_id, answer.record)
        return session, answer.created

    async def sessions(self, user: str) -> list[Session]:
        """The user's sessions, newest first."""
        return await self._together((user,), self._look(user))

    async def get(self, user: str, session_id: str) -> Session:
        """One session.

        Raises
        ------
        NotFound
        """
        check_id(user, session_id)
        request = {"operation": "look", "session_id": session_id}
        answer = await self._ask(user, request, protocol.One)
        return own_session(user, answer.session, session_id)

    async def stop(self, user: str, session_id: str, why: StopReason = StopReason.USER) -> Session:
        """End a session.

        Raises
        ------
        NotFound
        """
        check_id(user, session_id)
        request = {"operation": "stop", "session_id": session_id, "why": why.value}
        try:
            answer = await self._ask(user, request, protocol.One)
        finally:
            self._changed(user)
        session = own_session(user, answer.session, session_id)
        await self._learned(user, session_id, answer.record)
        return session

    async def rename(self, user: str, session_id: str, body: Any) -> Session:
        """Call a session what ``{"name": "…"}`` says.

        Raises
        ------
        InvalidRequest, NotFound, RecordsUnwritable
        """
        check_id(user, session_id)
        validate_renaming(body)
        request = {"operation": "rename", "session_id": session_id, "body": body}
        try:
            answer = await self._ask(user, request, protocol.One)
        finally:
            self._changed(user)
        session = own_session(user, answer.session, session_id)
        await self._learned(user, session_id, answer.record)
        return session

    async def forget(self, user: str, session_id: str | None = None) -> list[str]:
        """Delete what is on record of a session that has ended, or of all that have; gives their ids.

        Raises
        ------
        NotFound, SessionLives, SchedulerUnavailable
        """
        if session_id is not None:
            check_id(user, session_id)
        try:
            return await self._forgotten(user, {"operation": "forget", "session_id": session_id})
        finally:
            self._changed(user)

    async def logs(self, user: str, session_id: str, limit: int = 65536) -> list[Log]:
        """The ends of the session's logs, at most ``limit`` bytes each, and at most 256 KiB.

        Raises
        ------
        NotFound
        """
        check_id(user, session_id)
        tail = min(limit, protocol.MOST_TAIL_BYTES)
        request = {"operation": "logs", "session_id": session_id, "tail": tail}
        answer = await self._ask(user, request, protocol.LogEnds)
        return [Log(**log.model_dump()) for log in answer.logs]

    async def reach(self, user: str, session_id: str) -> Reach:
        """How to reach the session's desktop, as it was at most some seconds ago: a page of a
        streaming host is many requests. :meth:`forget_reach` when it was not there.

        Raises
        ------
        NotFound
        """
        check_id(user, session_id)
        clock = asyncio.get_running_loop().time()
        known = self._reached.get((user, session_id))
        if known and known[0] > clock:
            return known[1]
        return await self._together((user, session_id), self._reach(user, session_id))

    def forget_reach(self, user: str, session_id: str) -> None:
        self._reached.pop((user, session_id), None)

    async def images_of(self, user: str) -> list[Image]:
        """What this user can launch."""
        return (await self._ask(user, {"operation": "images"}, protocol.Offered)).images

    async def choices(self, user: str) -> KeptChoices:
        """What the user chose in the launch form."""
        return (await self._ask(user, {"operation": "choices"}, protocol.Chosen)).kept

    async def keep_choices(self, user: str, body: Any) -> KeptChoices:
        """Keep what ``{"revision": "…", "choices": {…}}`` says, if it was made of what is kept.

        Raises
        ------
        InvalidRequest, ChoicesChanged
        """
        validate_choices(body)  # what is wrong needs no process to be told so
        request = {"operation": "keep_choices", "body": body}
        answer = await self._ask(user, request, protocol.Chosen)
        if answer.changed:
            raise ChoicesChanged(answer.kept.model_dump(mode="json"))
        return answer.kept

    async def records(self, user: str, session_id: str | None = None) -> list[SessionRecord]:
        """What is on record of the user's sessions, or of one of them."""
        if session_id is not None:
            check_id(user, session_id)
        request = {"operation": "records", "session_id": session_id}
        answer = await self._ask(user, request, protocol.Recorded)
        local = self.site.batch_system == "local"
        records = [own_record(user, record, local) for record in answer.records]
        ids = {record.facts.session_id for record in records}
        if len(ids) < len(records) or (session_id is not None and ids != {session_id}):
            raise not_believed(user, "it has other sessions than were asked for")
        return records

    def reading(self, user: str) -> Reading:
        """In what it gives an answer of a session's gateway is read.

        Raises
        ------
        UserSideBusy
            It has to be asked later.
        """
        self._sides.check_paid(user)
        return lambda: self._sides.reading(user)

    async def _learned(self, user: str, session_id: str, record: SessionRecord | None) -> None:
        """What a change has left on record: for who keeps it."""

    async def reap(self, user: str) -> list[str]:
        """Forget sessions that ended longer ago than the site keeps them; gives their ids."""
        return await self._forgotten(user, {"operation": "reap"})

    async def _forgotten(self, user: str, request: dict[str, Any]) -> list[str]:
        answer = await self._ask(user, request, protocol.Forgotten)
        if not all(may_be_of(user, session_id) for session_id in answer.session_ids):
            raise not_believed(user, "it forgot a session of somebody else")
        return answer.session_ids

    async def close(self) -> None:
        """Ask nobody any more. Sessions go on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sides.close()
        await self.scheduler.close()

    async def _look(self, user: str) -> list[Session]:
        answer = await self._ask(user, {"operation": "look"}, protocol.All)
        sessions = [own_session(user, session) for session in answer.sessions]
        if len({session.session_id for session in sessions}) < len(sessions):
            raise not_believed(user, "it has one session twice")
        return sessions

    async def _reach(self, user: str, session_id: str) -> Reach:
        request = {"operation": "reach", "session_id": session_id}
        answer = await self._ask(user, request, protocol.Reached)
        if answer.gateway is None or answer.token is None:
            return Reach(None, answer.end)
        local = self.site.batch_system == "local"
        if wrong := wrong_gateway(answer.gateway, local):
            raise not_believed(user, f"the session's gateway {wrong}")
        reach = Reach(gateway_target(answer.gateway, answer.token.encode(), away=not local), None)
        self._remember(user, session_id, reach)
        return reach

    def _remember(self, user: str, session_id: str, reach: Reach) -> None:
        clock = asyncio.get_running_loop().time()
        self._reached = {key: known for key, known in self._reached.items() if known[0] > clock}
        self._reached[user, session_id] = clock + _REACH_SECONDS, reach

    async def _ask(self, user: str, request: dict[str, Any], model: type[A]) -> A:
        line = protocol.as_line(request)
        # As the user's side will read it: what that refuses needs no process.
        asked = protocol.read_request(line)
        login = await asyncio.to_thread(_login, user)
        with measured("user_side", asked.operation):
            answer = await self._sides.ask(login, line, protocol.most_answer_bytes(asked))
        with self._sides.reading(login):
            try:
                return protocol.read_answer(answer, model)
            except ValidationError as e:
                first = e.errors(include_url=False, include_input=False)[0]
                where = ".".join(map(str, first["loc"]))
                raise not_believed(user, shorten(f"{where}: {first['msg']}", 200)) from None
            except ValueError as e:
                raise not_believed(user, str(e)) from None

    async def _together(self, key: Hashable, work: Coroutine[Any, Any, T]) -> T:
        """What is asked while the same is asked already shares its answer."""
        task = self._under_way.get(key)
        if task:
            work.close()
        else:
            task = self._under_way[key] = asyncio.ensure_future(work)
            self._tasks.add(task)
            task.add_done_callback(lambda done: self._done(key, done))
        return cast(T, await asyncio.shield(task))

    def _done(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self._under_way.get(key) is task:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # whoever asked may have gone

    def _changed(self, user: str) -> None:
        """What is being asked now may have been answered before the change."""
        self._under_way.pop((user,), None)
        self._reached = {key: known for key, known in self._reached.items() if key[0] != user}


def _login(user: str) -> str:
    """The user's name for sudo, which reads ``#0`` as an id.

    Raises
    ------
    UserSideUnavailable
    """
    try:
        entry = pwd.getpwnam(user)
    except (KeyError, ValueError):
        raise UserSideUnavailable(
            f"{shorten(user)} has no account on the portal's machine, so nothing can be done there in "
            "this name. An administrator has to make it known there."
        ) from None
    if entry.pw_uid == 0 or entry.pw_name != user or user.startswith("#"):
        raise UserSideUnavailable(
            f"{shorten(user)} is not the name of an ordinary account on the portal's machine."
        )
    return entry.pw_name


__all__ = ["UserSideManager"]
