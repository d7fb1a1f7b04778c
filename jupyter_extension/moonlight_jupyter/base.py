"""What all handlers share: the manager, the user, and what is taken of a request."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Mapping
from typing import Any, ClassVar

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import ensure_async
from moonlight_spawner.model.errors import FieldError, InvalidRequest, NotFound, shorten
from moonlight_spawner.model.limits import MAX_BODY_BYTES
from moonlight_spawner.model.session import Session
from moonlight_spawner.relay.headers import Headers
from moonlight_spawner.relay.origin import comes_by_https
from moonlight_spawner.sessions.manager import Reach, SessionManager
from moonlight_spawner.sessions.page_address import hub_start
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, stream_request_body

from .json_errors import JSONErrors, takes
from .written import written

RESOURCE = "moonlight"
# The longest text for a clipboard, and to spare: its call says itself what is too long.
MOST_BODY_BYTES = 2 * MAX_BODY_BYTES
_SHORT_BYTES = 64 * 1024
# A longer body is kept while it comes, however slowly: of a user's open requests it is so many.
_LONG_WEIGHS = 16
# So much is read of a user's body that is too long, and not kept: a proxy that is still sending may lose
# the answer of who does not read on (nginx says 502 then).
_MOST_READ_BYTES = 16 * MOST_BODY_BYTES
# What Jupyter itself takes from the query of any call: the login, its proof, and how it is counted.
_JUPYTERS = ("token", "_xsrf", "no_track_activity")


def at_a_hub(base_url: str) -> bool:
    """Whether a Hub has started the server: other users' may be of the same origin then."""
    return hub_start(base_url, os.environ) is not None


class ManagerMixin:
    """The server's one manager, and whose sessions it is asked about."""

    settings: dict[str, Any]
    base_url: str
    current_user: Any
    request: Any
    get_query_arguments: Any
    _held: tuple[str, int] | None = None

    async def _execute(self, *args: Any, **kwargs: Any) -> None:
        """For as long as a request is open, whatever becomes of it."""
        try:
            await super()._execute(*args, **kwargs)  # type: ignore[misc]
        finally:
            if self._held is not None:
                self.settings["moonlight_limits"].release(*self._held)

    @property
    def manager(self) -> SessionManager:
        manager: SessionManager = self.settings["moonlight_manager"]
        return manager

    @property
    def user(self) -> str:
        """The account that this server runs as; in the portal, who is logged in."""
        own = self.settings.get("moonlight_user")
        return str(self.current_user.username if own is None else own)

    def whose(self) -> str:
        """The user, or for an admin of the portal whom ``?user=`` names.

        Raises
        ------
        NotFound
        """
        names = self.get_query_arguments("user")
        if not names or names == [self.user]:
            return self.user
        if not getattr(self.current_user, "admin", False) or len(names) > 1:
            raise NotFound("There is nothing here of another user's that you may see.")
        return str(names[0])

    def count(self) -> None:
        """Count this request, where a user may ask only so often.

        Raises
        ------
        TooManyRequests
        """
        if limits := self.settings.get("moonlight_limits"):
            limits.request(self)

    def hold(self, weight: int = 1) -> None:
        """Count this request among those that its user has open, where he may have so many; as so many.

        Raises
        ------
        TooManyRequests
        """
        if (limits := self.settings.get("moonlight_limits")) and self._held is None:
            self._held = limits.hold(self, weight)

    async def reach(self, session_id: str) -> Reach:
        """How to reach a session of the user's own: not even an admin's way leads to another's.

        Raises
        ------
        NotFound
        """
        found: Reach = await ensure_async(self.manager.reach(self.user, session_id))
        return found

    def forget_reach(self, session_id: str) -> None:
        """It was not there: a manager that remembers it has to look again."""
        if forget := getattr(self.manager, "forget_reach", None):
            forget(self.user, session_id)

    def as_json(self, session: Session) -> str:
        """A session with the addresses that it has in this server."""
        return written(session, self.base_url)

    def list_as_json(self, sessions: Iterable[Session]) -> str:
        return f'{{"sessions": [{", ".join(map(self.as_json, sessions))}]}}'


def pairs_of(headers: HTTPHeaders) -> Headers:
    """All headers of a request, as the relay has them."""
    return [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in headers.get_all()]


def by_https(request: HTTPServerRequest) -> bool | None:
    """Whether the browser's own hop is https, as far as that is known."""
    return comes_by_https(pairs_of(request.headers), request.protocol == "https")


@stream_request_body
class MoonlightAPIHandler(JSONErrors, ManagerMixin, APIHandler):
    """Base of the REST handlers.

    A body is read only for who is logged in, and only if it is no longer than any call's may be:
    tornado by itself would first collect up to Jupyter's ``max_body_size`` of anybody's.
    """

    auth_resource = RESOURCE

    #: What each method takes from the query; the OpenAPI document says the same.
    parameters: ClassVar[Mapping[str, Collection[str]]] = {}

    _prepared_future: Any  # tornado's, for when the body may come
    #: Bytes of the body that have come; what is over the most is not kept.
    received = 0
    #: How long its user is to get nothing more, for what he has been sent.
    owed_seconds = 0.0

    def set_default_headers(self) -> None:
        super().set_default_headers()
        # A browser may keep an answer and asks whether it is still true (ETag); nobody between may.
        if "Cache-Control" not in self.settings.get("headers", {}):
            self.set_header("Cache-Control", "private, no-cache")

    async def _execute(self, transforms: Any, *args: bytes, **kwargs: bytes) -> None:
        """A short body comes first, as in every handler that does not stream: tornado closes the
        connection behind an answer that does not wait for the end of its request, and what is
        closed with a body unread may lose the answer."""
        if self._declared() <= _SHORT_BYTES and self._prepared_future:
            ready, self._prepared_future = self._prepared_future, None
            ready.set_result(None)
            with contextlib.suppress(StreamClosedError):
                await self.request._body_future
        await super()._execute(transforms, *args, **kwargs)

    async def prepare(self) -> None:
        await super().prepare()
        if self._finished:
            return
        self.count()
        self.hold(_LONG_WEIGHS if self._declared() > _SHORT_BYTES else 1)
        if self.current_user is None and self._declared() > _SHORT_BYTES:
            self.get_login_url()
        if self._declared() > _MOST_READ_BYTES:
            self.refuse_body(self._declared())
        self.request.connection.set_max_body_size(_MOST_READ_BYTES)
        if self.current_user is not None:
            self._check_query()

    def _check_query(self) -> None:
        """What is passed over in silence misleads: a filter that is misspelt would list everything.

        Raises
        ------
        InvalidRequest
        """
        method = self.request.method or ""
        if method not in takes(type(self)):
            return  # which is answered 405
        taken = self.parameters.get(method, ())
        errors = []
        for name, values in self.request.query_arguments.items():
            # Jupyter's own pages add the time, lest a cache answer.
            busts = name.isascii() and name.isdigit() and values == [b""]
            if name not in taken and name not in _JUPYTERS and not busts:
                told, known = shorten(name), ", ".join(taken) or "none"
                message = f"There is no parameter {told} here; parameters are: {known}."
                errors.append(FieldError(told, None, message))
        if errors:
            raise InvalidRequest(errors[:20])

    def get_login_url(self) -> str:
        """tornado's way to ask for a login: a program is told instead.

        Raises
        ------
        MoonlightError, HTTPError
        """
        raise getattr(self, "login_refusal", None) or HTTPError(403)

    def write(self, chunk: Any) -> None:
        super().write(chunk)
        if limits := self.settings.get("moonlight_limits"):
            self.owed_seconds = limits.answered(self, len(self._write_buffer[-1]))

    def data_received(self, chunk: bytes) -> None:
        self.received += len(chunk)
        if not self._finished and self.received <= MOST_BODY_BYTES:
            self.request.body += chunk

    @property
    def body(self) -> bytes:
        """
        Raises
        ------
        HTTPError
            It is longer than any may be.
        """
        if self.received > MOST_BODY_BYTES:
            self.refuse_body(self.received)
        return bytes(self.request.body)

    def refuse_body(self, size: int) -> None:
        """Answer a body that is not read, of this many bytes.

        Raises
        ------
        HTTPError
        """
        raise HTTPError(413)

    def _declared(self) -> int:
        """How long the body says it is; one that says nothing may be long."""
        if "Transfer-Encoding" in self.request.headers:
            return MOST_BODY_BYTES
        length = self.request.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else 0

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if self._declared() > _SHORT_BYTES:
            self.set_header("Connection", "close")
        self.write_json_error(status_code, **kwargs)


class NothingHere(MoonlightAPIHandler):
    """Any other path below the API."""

    def _check_query(self) -> None:
        """Nothing is here, whatever is asked."""

    async def prepare(self) -> None:
        await super().prepare()
        if self.current_user is None:
            self.get_login_url()
        if not self._finished:
            raise NotFound(f"There is nothing at {self.request.path[:120]}.")


__all__ = ["ManagerMixin", "MoonlightAPIHandler", "NothingHere"]
