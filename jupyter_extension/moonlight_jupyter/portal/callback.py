"""What sessions tell of themselves: ``POST /api/moonlight/callback/<id>``, from their nodes.

No login counts here and no cookie, only the session's own token (:mod:`moonlight_spawner.portal.callback`),
and what comes with it is the word of that session's user about his session.
"""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from jupyter_server.utils import ensure_async
from moonlight_spawner.model.errors import (
    FieldError,
    InvalidRequest,
    MoonlightError,
    NotFound,
    TooManyRequests,
    shorten,
)
from moonlight_spawner.model.limits import MAX_STATUS_BYTES
from moonlight_spawner.model.records import TURN_UNTIL, AgentStatus, TurnCredentials
from moonlight_spawner.model.session import may_be_of
from moonlight_spawner.portal.answers import own_status
from moonlight_spawner.portal.callback import Callbacks
from moonlight_spawner.portal.turn import anew
from moonlight_spawner.relay.buckets import Bucket
from pydantic import ValidationError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from ..json_errors import JSONErrors

log = logging.getLogger(__name__)

_BODY_SECONDS = 20.0
# Of one user: a start has a dozen words, and each session one in a quarter of a minute.
_RATE, _BURST = 5.0, 100.0
_MOST_SESSIONS = 64

_NEVER = datetime.min
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_Age = tuple[datetime, int]
Clock = Callable[[], float]


class _User:
    """What was heard of a user's sessions last, and how old each word was."""

    def __init__(self, clock: Clock) -> None:
        self.bucket = Bucket(_RATE, _BURST, clock)
        self._heard: OrderedDict[str, tuple[_Age, AgentStatus]] = OrderedDict()

    def last(self, session_id: str) -> tuple[_Age, AgentStatus] | None:
        return self._heard.get(session_id)

    def keep(self, session_id: str, heard: tuple[_Age, AgentStatus] | None) -> None:
        self._heard.pop(session_id, None)
        if heard:
            self._heard[session_id] = heard
        while len(self._heard) > _MOST_SESSIONS:
            self._heard.popitem(last=False)


class Hearing:
    """Hands on to ``manager.heard(user, session_id, status)``, if it has that, what is new, and has the
    pages of that user look.

    A status names a gateway, to which the session's token is sent: it is left out where somebody on the
    way might have written it, and whoever wants to know asks the user's side. ``clock`` gives seconds.
    """

    def __init__(
        self, manager: Any, watchers: Any, callbacks: Callbacks, clock: Clock = time.monotonic
    ):
        self.callbacks = callbacks
        self._manager = manager
        self._watchers = watchers
        self._clock = clock
        self._users: dict[str, _User] = {}  # of real accounts: the service has made their seeds

    def count(self, user: str) -> None:
        """
        Raises
        ------
        TooManyRequests
            This user's sessions have said too much already.
        """
        if not self._of(user).bucket.take():
            raise TooManyRequests(f"The sessions of {user} say too much. Try again in a moment.", 1)

    async def hear(self, user: str, session_id: str, status: AgentStatus) -> None:
        """
        Raises
        ------
        MoonlightError
        """
        known = self._of(user)
        before = known.last(session_id)
        own_status(status, self._manager.site.batch_system == "local")
        # A job that is started again has another agent, which counts from the beginning.
        age = status.started_at, status.sequence
        if before and age <= before[0]:
            return
        if not self.callbacks.private:
            status.gateway = None
        known.keep(session_id, (age, status))
        try:
            if heard := getattr(self._manager, "heard", None):
                await ensure_async(heard(user, session_id, status))
        except BaseException:
            known.keep(session_id, before)  # it comes again
            raise
        if before is None or _words(before[1]) != _words(status):
            self._watchers.look(user)

    async def turn(
        self, user: str, session_id: str, status: AgentStatus, until: str
    ) -> TurnCredentials | None:
        """New TURN credentials for a session that lives and ends later than its own do, which last until
        ``until``; None if it needs none, or somebody on the way could read them.

        Raises
        ------
        MoonlightError
        """
        if not self.callbacks.private or status.end or not _SECONDS.fullmatch(until):
            return None
        made = anew(self._manager.site, user, float(until), status.ends_at)
        # Its token is one for good: who is no user of the portal any more has no session there.
        if made and (await ensure_async(self._manager.get(user, session_id))).live:
            log.info("%s is given TURN credentials once more", session_id)
            return made
        return None

    def _of(self, user: str) -> _User:
        return self._users.setdefault(user, _User(self._clock))


@stream_request_body
class CallbackHandler(JSONErrors, RequestHandler):
    """Says no before a body is kept, and behind it where it is short: an answer that does not wait for the
    end of its request may be lost."""

    SUPPORTED_METHODS = ("POST",)

    _user: str | None = None
    _refusal: Exception | None = None

    def prepare(self) -> None:
        length = self.request.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > MAX_STATUS_BYTES:
            self.set_header("Connection", "close")
            raise HTTPError(413)
        connection: Any = self.request.connection
        connection.set_max_body_size(MAX_STATUS_BYTES)
        connection.set_body_timeout(_BODY_SECONDS)
        self._body = bytearray()
        try:
            self._user = self._who(self.path_args[0])
        except (HTTPError, MoonlightError) as e:
            self._refusal = e

    def data_received(self, chunk: bytes) -> None:
        if self._refusal is None:
            self._body += chunk

    async def post(self, session_id: str) -> None:
        if self._refusal or self._user is None:
            raise self._refusal or HTTPError(401)
        status = self._status()
        await self._hearing.hear(self._user, session_id, status)
        until = self.request.headers.get(TURN_UNTIL, "")
        if turn := await self._hearing.turn(self._user, session_id, status, until):
            self.set_header("Cache-Control", "no-store")
            self.finish(turn.model_dump())
            return
        self.set_status(204)
        self.finish()

    def check_xsrf_cookie(self) -> None:
        """No browser sends the token that counts here."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.write_json_error(status_code, **kwargs)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, MoonlightError):
            log.info("%s: %s", self.request.path, value)
        else:
            super().log_exception(typ, value, tb)

    @property
    def _hearing(self) -> Hearing:
        hearing: Hearing = self.settings["moonlight_hearing"]
        return hearing

    def _who(self, session_id: str) -> str:
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        user = None
        if scheme.lower() == "bearer":
            user = self._hearing.callbacks.user_of(token.strip(), session_id)
        if user is None:
            raise HTTPError(401)
        if not may_be_of(user, session_id):
            raise NotFound(f"There is no session {shorten(session_id)} of {user}.")
        self._hearing.count(user)
        return user

    def _status(self) -> AgentStatus:
        """
        Raises
        ------
        InvalidRequest
        """
        try:
            return AgentStatus.model_validate_json(bytes(self._body))
        except ValidationError as e:
            first = e.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"]))
            message = shorten(f"{where}: {first['msg']}", 400)
            raise InvalidRequest([FieldError(where[:200] or "body", None, message)]) from None


def _words(status: AgentStatus) -> AgentStatus:
    """What of it is news, and not a sign of life."""
    return status.model_copy(update={"beat": _NEVER, "started_at": _NEVER, "sequence": 0})


HANDLERS = [(r"/api/moonlight/callback/([^/]+)", CallbackHandler)]
