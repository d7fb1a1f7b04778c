"""The stream proxy: from the browser to the session's gateway on its node.

A request is checked once: Jupyter's login, the owner, the origin. Then HTTP bodies are streamed
both ways and WebSockets become plain byte pipes. The gateway's token and certificate stay on this
hop; Jupyter's cookies and tokens stay on the other.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import ensure_async
from moonlight_spawner.model.errors import NotFound
from moonlight_spawner.relay import framing, pages
from moonlight_spawner.relay import headers as h
from moonlight_spawner.relay.origin import is_own
from moonlight_spawner.relay.upstream import Exchange, Target, UpstreamError
from moonlight_spawner.sessions.control import reaches_control, reaches_files
from moonlight_spawner.sessions.manager import Reach
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import HTTPError, authenticated, stream_request_body

from .base import RESOURCE, ManagerMixin, at_a_hub, by_https, pairs_of
from .json_errors import JSONErrors
from .traffic import Traffic, relayed
from .websocket import relay_websocket

log = logging.getLogger(__name__)

_MAX_UPLOAD_BYTES = 1 << 40
_BODYLESS = ("GET", "HEAD", "OPTIONS")
_TARGET_CHARACTERS = "".join(map(chr, range(0x21, 0x7F)))


@stream_request_body
class StreamHandler(JSONErrors, ManagerMixin, JupyterHandler):
    """``/moonlight/sessions/<id>/desktop/…``: anything the streaming host's client asks for."""

    SUPPORTED_METHODS: tuple[str, ...] = (
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
    )
    auth_resource = RESOURCE

    _exchange: Exchange | None = None
    _target: Target | None = None
    _known = False
    #: The sessions of which the log says already that their WebSockets do not get through.
    _told: ClassVar[set[str]] = set()

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.clear_header(framing.OLDER)

    @property
    def content_security_policy(self) -> str:
        # The viewer shows nothing in its frame but a session that there is.
        return framing.POLICY if self._known or not at_a_hub(self.base_url) else framing.NOBODY

    async def prepare(self) -> None:
        await super().prepare()
        if self._finished:
            return
        await self._admit()
        if reaches_control(self._upstream_path().decode()):
            raise HTTPError(404)
        session_id = self._session_id()
        try:
            reach = await self.reach(session_id)
        except NotFound:
            self._page(404, "unknown")
            return
        self._known = True
        self.set_header("Content-Security-Policy", self.content_security_policy)
        if "Sec-WebSocket-Key" in self.request.headers and not self._is_stream():
            self._stripped()  # of a session that there is: what is told of it is remembered
            return
        if reach.target is None:
            self._not_there(reach)
            return
        self._target = reach.target
        if self._is_stream() or (self.request.method in _BODYLESS and not self._has_body()):
            return
        # tornado would refuse a body over Jupyter's max_body_size; this one is not kept.
        self.request.connection.set_max_body_size(_MAX_UPLOAD_BYTES)
        await self._begin()

    async def data_received(self, chunk: bytes) -> None:
        """A part of the request's body; tornado reads on when it has been passed on."""
        if self._exchange:
            try:
                await self._exchange.send(relayed.body("from_browser", chunk))
            except UpstreamError as e:
                self._away(e)

    @authenticated  # prepare() has seen to it; Jupyter looks for this when it starts
    async def _handle(self, *_: str) -> None:
        if self._finished:
            return
        if self._is_stream():
            await self._relay_stream()
            return
        try:
            if self._exchange is None:
                await self._begin()
            if self._exchange is None:
                return
            await self._exchange.finish()
            await self._answer(self._exchange)
        except UpstreamError as e:
            self._away(e)
        except StreamClosedError:
            return
        finally:
            self._close()

    get = head = post = put = patch = delete = options = _handle

    def check_xsrf_cookie(self) -> None:
        """The host's client knows nothing of Jupyter's XSRF token; :meth:`_admit` asks for a page
        of our own origin instead, which every browser tells with a request that changes things."""

    def on_connection_close(self) -> None:
        self._close()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        # tornado closes it behind an answer that does not wait for the request's end.
        self.set_header("Connection", "close")
        if _wants_page(self):
            super().write_error(status_code, **kwargs)
        else:
            self.write_json_error(status_code, **kwargs)

    async def _admit(self) -> None:
        user = self.current_user
        if user is None:
            raise HTTPError(403)
        if self._is_stream():
            self.count()
        self.hold()
        method = self.request.method or ""
        does = self._is_stream() or method not in _BODYLESS
        reads_files = reaches_files(self._upstream_path().decode())
        action = "execute" if does or reads_files else "read"
        allowed = self.authorizer.is_authorized(self, user, action, RESOURCE)
        if not await ensure_async(allowed):
            raise HTTPError(403)
        if not does or getattr(self, "token_authenticated", False):
            return
        origin = self.request.headers.get("Origin")
        if not origin or not self._own_origin(origin):
            log.warning("refused a request with origin %s", origin)
            raise HTTPError(403)

    def _own_origin(self, origin: str) -> bool:
        https = by_https(self.request)
        if is_own(origin, [self.request.host], https):
            return True
        if self.allow_origin:
            return bool(self.allow_origin in ("*", origin))
        return bool(self.allow_origin_pat and self.allow_origin_pat.match(origin))

    def _is_stream(self) -> bool:
        return self.request.headers.get("Upgrade", "").lower() == "websocket"

    def _has_body(self) -> bool:
        headers = self.request.headers
        return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"

    def _session_id(self) -> str:
        return str(self.path_args[0])

    def _upstream_path(self) -> bytes:
        # Counted, not searched for: the base URL may well contain "/desktop".
        path = "/" + self.request.path.split("/", self.base_url.count("/") + 4)[-1]
        return _ascii(path + self._query())

    def _query(self) -> str:
        """The query without the token that the portal's login was proven with: it must not reach
        the host. The host may have a ``token`` of its own, which passes."""
        query, tokens = self.request.query, self.request.query_arguments.get("token", [])
        own = str(getattr(self.identity_provider, "token", "") or "").encode()
        if not tokens or not (self.token_authenticated or own in tokens):
            return f"?{query}" if query else ""
        pairs = [
            (name, value)
            for name, values in self.request.query_arguments.items()
            for value in values
            if name != "token"
        ]
        return "?" + urlencode(pairs) if pairs else ""

    async def _begin(self) -> None:
        assert self._target and self.request.method
        headers = h.for_gateway(pairs_of(self.request.headers), self._target.headers)
        if "Transfer-Encoding" in self.request.headers:
            headers.append((b"transfer-encoding", b"chunked"))
        try:
            self._exchange = await Exchange.begin(
                self._target, self.request.method.encode(), self._upstream_path(), headers
            )
        except UpstreamError as e:
            self._away(e)

    async def _answer(self, exchange: Exchange) -> None:
        response = await exchange.head()
        self.set_status(response.status_code, response.reason.decode("latin-1") or None)
        headers = framing.without_framing(h.for_browser(response.headers))
        answer = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers]
        for name, _ in answer:
            if name != "content-security-policy":  # of several, a browser obeys all
                self.clear_header(name)  # the host's own in place of Jupyter's default
        for name, value in answer:
            self.add_header(name, value)
        async for part in exchange.body():
            self.write(relayed.body("to_browser", part))
            await self.flush()
        if not self._finished:
            await self.finish()

    def compute_etag(self) -> None:
        return None

    async def _relay_stream(self) -> None:
        assert self._target
        headers = h.websocket_request(pairs_of(self.request.headers), self._target.headers)
        traffic = Traffic()
        tell = self.settings.get(
            "moonlight_tell_stream"
        )  # (handler, session, traffic, whether over)

        def detach() -> IOStream:
            if tell:
                tell(self, self._session_id(), traffic, False)
            return self.detach()

        try:
            await relay_websocket(self._target, self._upstream_path(), headers, detach, traffic)
        except UpstreamError as e:
            self._away(e)
        finally:
            if tell and traffic.begun:
                tell(self, self._session_id(), traffic, True)

    def _away(self, error: Exception) -> None:
        log.warning("%s: %s", self._session_id(), error)
        self.forget_reach(self._session_id())
        self._close()
        if not self._finished and not self._headers_written:
            self._page(502, "node_away")
        elif not self._finished:
            # Half an answer must not look whole.
            with contextlib.suppress(AttributeError):
                self.request.connection.stream.close()

    def _not_there(self, reach: Reach) -> None:
        if reach.end:
            self._page(410, "ended", reach.end.reason)
        else:
            self._page(503, "not_running")

    def _stripped(self) -> None:
        """A WebSocket was asked for, and a proxy has made an ordinary request of it."""
        if self._session_id() not in self._told:
            self._told.add(self._session_id())  # clients ask again every second
            log.warning(
                "%s: a WebSocket was asked for, but what came has no Upgrade header. A proxy before "
                "this server takes it away; it has to pass Upgrade and Connection.",
                self._session_id(),
            )
        self.set_header("Upgrade", "websocket")
        self._page(426, "no_websocket")

    def _page(self, status: int, name: str, detail: str = "") -> None:
        language = self.request.headers.get("Accept-Language", "")
        self.set_status(status)
        self.set_header("Connection", "close")  # as in write_error
        self.set_header("Cache-Control", "no-store")
        if _wants_page(self):
            self.set_header("Content-Type", "text/html; charset=utf-8")
            link = (f"{self.base_url}moonlight/", "Moonlight")
            self.finish(pages.html(name, language, detail, link))
        else:
            self.set_header("Content-Type", "application/json")
            self.finish(pages.json_error(name, language, detail))

    def _close(self) -> None:
        if self._exchange:
            self._exchange.close()


class SignalingHandler(StreamHandler):
    """``/moonlight/signaling?session=<id>``: the host's signalling WebSocket under one name."""

    def _session_id(self) -> str:
        return self.get_query_argument("session", "")

    def _upstream_path(self) -> bytes:
        pairs = [
            (name, value)
            for name, values in self.request.query_arguments.items()
            for value in values
            if name not in ("session", "token")
        ]
        return b"/signaling" + (("?" + urlencode(pairs)).encode() if pairs else b"")


class DesktopRedirect(StreamHandler):
    """``…/desktop`` without its slash: relative addresses of the client need it."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    async def prepare(self) -> None:
        await JupyterHandler.prepare(self)
        if not self._finished:
            await self._admit()

    @authenticated
    async def get(self, *_: str) -> None:
        query = f"?{self.request.query}" if self.request.query else ""
        self.redirect(f"{self.request.path}/{query}", permanent=False)

    head = get


def _wants_page(handler: JupyterHandler) -> bool:
    return "text/html" in handler.request.headers.get("Accept", "")


def _ascii(target: str) -> bytes:
    """A request target as HTTP allows it; clients send other bytes too, tornado takes them."""
    return quote(target.encode("latin-1", "replace"), safe=_TARGET_CHARACTERS).encode()


HANDLERS: list[tuple[str, Any]] = [
    (r"/moonlight/sessions/([^/]+)/desktop", DesktopRedirect),
    (r"/moonlight/sessions/([^/]+)/desktop(/.*)", StreamHandler),
    (r"/moonlight/signaling", SignalingHandler),
]
