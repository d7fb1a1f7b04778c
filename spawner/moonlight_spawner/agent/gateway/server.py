"""The gateway's server: one port, TLS (and HTTP where the site wants it), one streaming host."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import h11

from ...model.limits import MAX_BODY_BYTES
from ...relay import gate
from ...relay import headers as h
from ...relay.forward import relay_exchange, relay_page, relay_stream
from ...relay.incoming import Incoming, Request
from ...relay.replies import NO_STORE, reply_page, without_prefix
from ...relay.upstream import Target, UpstreamError
from ...relay.wire import Wire, WireClosed
from . import last_word, pairing
from .door import MAX_LOGIN_BYTES, Door
from .listener import Listener
from .near import Near
from .strangers import Visitor

log = logging.getLogger(__name__)

_TLS_SECONDS = 10.0
_AWAY = "host_away"
_JSON = [(b"content-type", b"application/json"), *NO_STORE]


class Local(Protocol):
    """What a session answers without its streaming host's client being asked."""

    @property
    def absence(self) -> str:
        """Name of the page that is shown while there is no client (:mod:`moonlight_spawner.relay.pages`)."""

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        """For a browser: name of the page that says why this is not passed on, empty if it is."""

    def answer(self, path: str) -> tuple[int, h.Headers, bytes] | None:
        """For a browser: a whole answer, None to ask the client."""

    async def control(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """For the portal: status and JSON for a path below ``/control``."""


class Gateway:
    """Listens on a port that the kernel picks and relays what :class:`Door` admits.

    Parameters
    ----------
    door
        Knows the session's token.
    target
        Where the streaming host listens; called per request, None while there is none.
    tls
        Server context with the session's certificate.
    signaling_path
        Where ``/signaling`` leads: the host's own name for it is not the portal's business.
    host
        Answers some paths itself; see :class:`Local`.
    plain_http
        Also speak HTTP, for portals whose node proxy cannot do HTTPS.
    """

    def __init__(
        self,
        door: Door,
        target: Callable[[], Target | None],
        tls: ssl.SSLContext,
        plain_http: bool = False,
        signaling_path: str = "/",
        host: Local | None = None,
    ):
        self._door = door
        self._target = target
        self._tls = tls
        self._plain_http = plain_http
        self._signaling_path = signaling_path
        self._host = host
        self._listener = Listener(self._serve, door.knows)
        self._near = Near(self._serve_near)
        self._last_word = last_word.LastWord()
        self.port = 0

    async def start(self, address: str) -> None:
        """Bind ``address`` and begin to answer.

        Raises
        ------
        OSError
            The address is not one of this node.
        """
        self.port = self._listener.open(address)

    def open_near(self, path: Path) -> None:
        """Answer on a Unix socket, too, for this user's own programs on this machine.

        Raises
        ------
        OSError
        """
        self._near.open(path)

    async def end(self, reason: str) -> None:
        """Tell the pages that are open how the session ended."""
        await self._last_word.say(reason)

    async def stop(self) -> None:
        """Close the port and every connection."""
        await self._listener.close()
        await self._near.close()

    async def _serve(self, connection: socket.socket, secure: bool, visitor: Visitor) -> None:
        await self._talk(connection, self._tls if secure else None, secure, visitor)

    async def _serve_near(self, connection: socket.socket) -> None:
        """Nobody reads on the way, and no stranger comes by it."""
        await self._talk(connection, None, True, Visitor())

    async def _talk(
        self,
        connection: socket.socket,
        tls: ssl.SSLContext | None,
        secure: bool,
        visitor: Visitor,
    ) -> None:
        wire = Wire()
        try:
            # The protocol that it gives is not ours in uvloop, but that of its TLS.
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: wire,
                connection,
                ssl=tls,
                ssl_handshake_timeout=_TLS_SECONDS if tls else None,
            )
            await self._converse(Incoming(wire), secure, visitor)
        except (OSError, ssl.SSLError, asyncio.TimeoutError, WireClosed, UpstreamError) as e:
            log.debug("connection ended: %s", e)
        except h11.ProtocolError as e:
            log.info("connection ended, the peer does not speak HTTP: %s", e)
        except Exception:
            log.exception("a connection failed")
        finally:
            visitor.leave()
            if wire.transport is not None:
                wire.close()
            else:
                connection.close()

    async def _converse(self, incoming: Incoming, secure: bool, visitor: Visitor) -> None:
        while True:
            try:
                request = await incoming.request()
            except h11.RemoteProtocolError as e:
                await incoming.refuse(400, f"This is no valid HTTP request: {e}\n")
                return
            if request is None:
                return
            if not secure and not self._plain_http:
                await incoming.refuse(403, "This port speaks HTTPS only.\n")
                return
            if self._door.admits(request):
                visitor.admit()
            else:  # or the limit on strangers' connections would be none on what they ask for
                incoming.last = True
            if await self._answer(incoming, request, secure):
                return

    async def _answer(self, incoming: Incoming, request: Request, secure: bool) -> bool:
        """Answer one request; True if the connection has become a stream and is over."""
        request = without_prefix(request)
        bearer = self._door.has_bearer(request)
        if request.path == "/login":
            await self._login(incoming, request, secure)
        elif not (bearer or self._door.has_cookie(request)):
            await reply_page(incoming, request, 401, "login_needed")
        elif request.path == "/healthz":
            await incoming.answer(200, _JSON, self._health())
        elif self._door.has_cookie(request) and not self._door.same_origin(request, secure):
            await reply_page(incoming, request, 403, "other_origin")
        elif request.path == gate.SCRIPT:
            headers = [(b"content-type", b"text/javascript"), *NO_STORE]
            await incoming.answer(200, headers, gate.script())
        elif request.path == last_word.PATH and self._door.has_page(request):
            if h.is_websocket(request.headers):
                await self._last_word.tell(incoming, request)
                return True
            await reply_page(incoming, request, 426, "no_websocket")
        elif request.path == pairing.PATH and self._host and not bearer:
            await self._pairing(incoming, request, self._host)
        elif not bearer and gate.refuses(request) and not self._door.has_page(request):
            await reply_page(incoming, request, 403, "page_needed")
        elif request.path.startswith("/control/"):
            await self._control(incoming, request)
        elif self._host and (known := self._host.answer(request.path)):
            status, headers, body = known
            await incoming.answer(status, headers, body if request.method != "HEAD" else b"")
        else:
            if request.path == "/signaling":
                request = replace(request, path=self._signaling_path)
            websocket = h.is_websocket(request.headers)
            if self._host and (why := self._host.refusal(request.method, request.path, websocket)):
                await reply_page(incoming, request, 403, why)
                return incoming.unread()
            return await self._relay(incoming, request, bearer)
        return incoming.unread()

    def _health(self) -> bytes:
        return json.dumps({"status": "ok" if self._target() else "starting"}).encode()

    async def _login(self, incoming: Incoming, request: Request, secure: bool) -> None:
        if request.method != "POST":
            await reply_page(
                incoming, request, 405 if request.method != "GET" else 401, "login_needed"
            )
            return
        if not self._door.from_this_site(request, secure):
            await reply_page(incoming, request, 403, "other_origin")
            return
        body = await incoming.short_body(MAX_LOGIN_BYTES)
        if body is None:
            await reply_page(incoming, request, 413, "login_refused")
            return
        status = self._door.login(body, incoming.wire.peer)
        if status != 303:
            await reply_page(incoming, request, status, "login_refused")
            return
        secure = secure or h.get(request.headers, b"x-forwarded-proto") == "https"
        cookie = self._door.set_cookie(secure)
        # Relative: the gateway cannot know under which path the browser sees it.
        wanted = pairing.fields_of(body).get("to") == "native"
        where = b"." + pairing.PATH.encode() if wanted else b"./"
        await incoming.answer(303, [(b"location", where), (b"set-cookie", cookie), *NO_STORE])

    async def _pairing(self, incoming: Incoming, request: Request, host: Local) -> None:
        """Of the session's owner alone: a page of another user has the cookie too."""
        outcome = None
        if request.method == "POST":
            fields = pairing.fields_of(await incoming.short_body(pairing.MAX_FORM_BYTES) or b"")
            if self._door.is_page_token(fields.get("page", "")):
                outcome = await pairing.pair(host.control, fields)
        if not (outcome or gate.is_page(request)):
            await reply_page(incoming, request, 403, "page_needed")
            return
        language = h.get(request.headers, b"accept-language")
        status, page = await pairing.page(host.control, self._door.page, language, outcome)
        await incoming.answer(
            status, [(b"content-type", b"text/html; charset=utf-8"), *NO_STORE], page
        )

    async def _control(self, incoming: Incoming, request: Request) -> None:
        """The host's own API. For the portal alone: a page of the desktop has the cookie too."""
        if not self._door.has_bearer(request) or self._host is None:
            await reply_page(incoming, request, 403, "login_refused")
            return
        data = await incoming.short_body(MAX_BODY_BYTES)
        if data is None:
            await reply_page(incoming, request, 413, "login_refused")
            return
        try:
            body = json.loads(data or b"null")
        except ValueError:
            body = None
        path = request.path.removeprefix("/control")
        status, answer = await self._host.control(request.method, path, body)
        await incoming.answer(status, _JSON, json.dumps(answer).encode())

    async def _relay(self, incoming: Incoming, request: Request, bearer: bool) -> bool:
        target = self._target()
        try:
            if target is None:
                raise UpstreamError("the streaming host is starting again")
            if h.is_websocket(request.headers):
                return await relay_stream(incoming, request, target)
            if gate.is_page(request) and not bearer:
                await relay_page(incoming, request, target, self._door.page)
            else:
                await relay_exchange(incoming, request, target)
        except UpstreamError as e:
            log.warning("%s %s: %s", request.method, request.path, e)
            if incoming.wire.transport.is_closing():
                return True
            with contextlib.suppress(h11.LocalProtocolError):  # the answer had begun already
                page = self._host.absence if self._host else _AWAY
                await reply_page(incoming, request, 502, page)
                return incoming.unread()
            return True
        return incoming.unread()
