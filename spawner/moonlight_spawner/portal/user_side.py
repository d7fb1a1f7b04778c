"""The manager of other users' sessions: what the service asks for, each user's own side does."""

from __future__ import annotations

import asyncio
import ipaddress
import pwd
import re
from collections.abc import Coroutine, Hashable
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from ..model.errors import NotFound, UserSideFailed, UserSideUnavailable, shorten
from ..model.measured import measured
from ..model.records import AgentStatus, SessionRecord, StopReason
from ..model.session import Gateway, Model, Session, may_be_of, now
from ..scheduler import make_scheduler
from ..sessions.inside import JobHere
from ..sessions.manager import Log
from ..sessions.reach import Reach, gateway_target
from ..site.images import Catalogue, Image
from ..site.options import MoonlightSite
from ..site.request import (
    cannot_be,
    validate_request,
    validate_request_key,
    validate_where,
)
from . import protocol
from .callback import Callbacks
from .sides import Sides

A = TypeVar("A", bound=BaseModel)
T = TypeVar("T")

_ANY_IMAGE = "any"  # stands for the user's default
_REACH_SECONDS = 10.0
_MOST_ADDRESSES = 16
# The largest part has the steps of a start and a certificate: a few kilobytes.
_MOST_PART_BYTES = 64 << 10
_MOST_CERTIFICATE = 16384
_PEM = re.compile(
    r"-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*", re.ASCII
)
# The last part of a host's name begins with a letter: getaddrinfo takes 2130706433 for an address.
_HOST = re.compile(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z][A-Za-z0-9_-]{0,62}\.?", re.ASCII)
_JOB_ID = re.compile(r"[A-Za-z0-9_.+-]{1,100}", re.ASCII)
_LOCALHOST = re.compile(r"(.*\.)?localhost|.*\.localdomain|ip6-(localhost|loopback)", re.I)


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
        )
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._reached: dict[tuple[str, str], tuple[float, Reach]] = {}

    can_submit = True

    async def job_here(self) -> JobHere | None:
        """The service runs in no job."""
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
        validate_request(body, self.site, _ANY_IMAGE)
        request = {"operation": "create", "door": door, "body": body, "key": request_key}
        if self._callbacks:
            request["callback"] = self._callbacks.given_to(user)
        try:
            answer = await self._ask(user, request, protocol.Created)
        finally:
            self._changed(user)
        session = _own(user, answer.session)
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
        return _own(user, answer.session, session_id)

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
        session = _own(user, answer.session, session_id)
        await self._learned(user, session_id, answer.record)
        return session

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
            raise _not_believed(user, "it has other sessions than were asked for")
        return records

    async def _learned(self, user: str, session_id: str, record: SessionRecord | None) -> None:
        """What a change has left on record: for who keeps it."""

    async def reap(self, user: str) -> list[str]:
        """Forget sessions that ended longer ago than the site keeps them; gives their ids."""
        answer = await self._ask(user, {"operation": "reap"}, protocol.Forgotten)
        if not all(may_be_of(user, session_id) for session_id in answer.session_ids):
            raise _not_believed(user, "it forgot a session of somebody else")
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
        sessions = [_own(user, session) for session in answer.sessions]
        if len({session.session_id for session in sessions}) < len(sessions):
            raise _not_believed(user, "it has one session twice")
        return sessions

    async def _reach(self, user: str, session_id: str) -> Reach:
        request = {"operation": "reach", "session_id": session_id}
        answer = await self._ask(user, request, protocol.Reached)
        if answer.gateway is None or answer.token is None:
            return Reach(None, answer.end)
        local = self.site.batch_system == "local"
        if wrong := wrong_gateway(answer.gateway, local):
            raise _not_believed(user, f"the session's gateway {wrong}")
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
                raise _not_believed(user, shorten(f"{where}: {first['msg']}", 200)) from None
            except ValueError as e:
                raise _not_believed(user, str(e)) from None

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


def check_id(user: str, session_id: str) -> None:
    if not may_be_of(user, session_id):
        raise NotFound(f"There is no session {session_id[:80]} of {user}.")


def _own(user: str, session: Session, session_id: str | None = None) -> Session:
    if session.user != user or not may_be_of(user, session.session_id):
        raise _not_believed(user, "it has a session of somebody else")
    if session_id is not None and session.session_id != session_id:
        raise _not_believed(user, "it has another session than was asked for")
    if session.slurm_job_id is not None and not _JOB_ID.fullmatch(session.slurm_job_id):
        raise _not_believed(user, "a session's job has no id of a job")
    return session


def own_record(user: str, record: SessionRecord, local: bool) -> SessionRecord:
    """A record that the user's side has sent, as far as it can be his: of a session of his, with no
    gateway that the service would not go to, and with no word from the future, which would be the
    newest for good.

    Raises
    ------
    UserSideFailed
    """
    facts, status = record.facts, record.status
    if facts.user != user or not may_be_of(user, facts.session_id):
        raise _not_believed(user, "it has a session of somebody else")
    if record.job is not None and not _JOB_ID.fullmatch(record.job.job_id):
        raise _not_believed(user, "a session's job has no id of a job")
    for _, part in record:
        if isinstance(part, Model) and len(part.model_dump_json()) > _MOST_PART_BYTES:
            raise _not_believed(user, f"a part of a record has over {_MOST_PART_BYTES} bytes")
    if record.seen and (record.job is None or record.seen.job.job_id != record.job.job_id):
        record.seen = None
    if status:
        own_status(status, local)
    facts.created_at = min(facts.created_at, now())
    return record


def own_status(status: AgentStatus, local: bool) -> None:
    """Leave out of an agent's words what nobody may have the service believe."""
    if status.gateway and wrong_gateway(status.gateway, local):
        status.gateway = None
    status.started_at, status.beat = min(status.started_at, now()), min(status.beat, now())


def wrong_gateway(gateway: Gateway, local: bool) -> str:
    """Why the service does not go there; empty if it does. A user must not have it knock at others'
    doors: those of the portal's own machine above all. What is there hears a TLS greeting at most."""
    if not 1024 <= gateway.port < 65536:
        return f"has port {gateway.port}, which no user's program can have"
    if len(gateway.certificate) > _MOST_CERTIFICATE or not _PEM.fullmatch(gateway.certificate):
        return "has no certificate"
    if not 0 < len(gateway.hosts) <= _MOST_ADDRESSES:
        return f"has {len(gateway.hosts)} addresses"
    for host in gateway.hosts:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if len(host) > 253 or not _HOST.fullmatch(host):
                return f"has the address {shorten(host)}, which is none"
            if not local and _LOCALHOST.fullmatch(host.rstrip(".")):
                return f"has the address {shorten(host)}, which is the portal's machine itself"
            continue
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_multicast or address.is_unspecified:
            return f"has the address {host}, which is no node's"
        if not local and address.is_loopback:
            return f"has the address {host}, which is the portal's machine itself"
    return ""


def _not_believed(user: str, why: str) -> UserSideFailed:
    return UserSideFailed(f"What {user}'s side answered cannot be believed: {why}.")


__all__ = ["UserSideManager"]
