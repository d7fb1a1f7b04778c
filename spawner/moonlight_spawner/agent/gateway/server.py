"""The gateway's server: one port, TLS (and HTTP where the site wants it), one streaming host."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h11

from ...model.limits import MAX_BODY_BYTES
from ...model.texts import json_of
from ...relay import gate, websocket
from ...relay import headers as h
from ...relay.framing import own_origin_only
from ...relay.incoming import Incoming, Request
from ...relay.one_session import DESKTOP, OneSession
from ...relay.replies import FORGET, NO_STORE, reply_page, without_prefix
from ...relay.upstream import Target, UpstreamError
from ...relay.wire import Wire, WireClosed
from ..sharing import Guests
from ..sharing import pages as sharing
from ..transfers.service import PATH as FILES
from ..transfers.service import Files
from . import last_word, pairing
from .door import MAX_LOGIN_BYTES, Door
from .listener import Listener
from .near import Near
from .passage import JSON, Local, Passage, Watching
from .strangers import Visitor

log = logging.getLogger(__name__)

_TLS_SECONDS = 10.0
_DESKTOP = DESKTOP.removeprefix(".")


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
    viewer
        The page around the host's for who comes by the cookie; None: the host's own page.
    settings
        What that page is told.
    files
        Takes and gives the user's files; None: nobody does.
    guests
        Whom the owner has invited; None: nobody can be.
    """

    def __init__(
        self,
        door: Door,
        target: Callable[[], Target | None],
        tls: ssl.SSLContext,
        plain_http: bool = False,
        signaling_path: str = "/",
        host: Local | None = None,
        viewer: OneSession | None = None,
        settings: Mapping[str, Any] | None = None,
        files: Files | None = None,
        guests: Guests | None = None,
    ):
        self._door = door
        self._settings = settings or {}
        self._files = files
        self._viewer = viewer
        self._tls = tls
        self._plain_http = plain_http
        self._host = host
        self._guests = guests
        self._passage = Passage(target, signaling_path, host, door.page)
        self._listener = Listener(self._serve, door.knows)
        self._near = Near(self._serve_near)
        self._last_word = last_word.LastWord()
        self.port = 0

    @property
    def watching(self) -> Watching:
        """The streams that are open."""
        return self._passage.watching

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

    async def end(self, reason: str, session: Any = None) -> None:
        """Tell the pages that are open how the session ended; ``session`` is what the viewer is told."""
        if self._guests:
            await self._guests.end("share_over")
        await self._last_word.say(reason, session)

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
            await self._converse(Incoming(wire, own_origin_only), secure, visitor)
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
                if self._guests and self._guests.of(request):  # has a limit of his own
                    visitor.admit()
            if await self._answer(incoming, request, secure):
                return

    async def _answer(self, incoming: Incoming, request: Request, secure: bool) -> bool:
        """Answer one request; True if the connection has become a stream and is over."""
        request = without_prefix(request)
        bearer = self._door.has_bearer(request)
        if request.path == "/login":
            await self._login(incoming, request, secure)
        elif not (bearer or self._door.has_cookie(request)):
            return await self._for_others(incoming, request, secure)
        elif self._door.has_cookie(request) and not self._door.same_origin(request, secure):
            await reply_page(incoming, request, 403, "other_origin")
        elif bearer:
            return await self._for_portal(incoming, request)
        else:
            return await self._for_browser(incoming, request)
        return incoming.unread()

    async def _for_portal(self, incoming: Incoming, request: Request) -> bool:
        """Answer who has the bearer: a server, which has a viewer of its own."""
        if request.path.startswith("/control/"):
            await self._control(incoming, request)
            return incoming.unread()
        if self._files and request.path.startswith(FILES):
            await self._files.answer(incoming, request)
            return incoming.unread()
        return await self._passage.take(incoming, request, bearer=True)

    async def _for_others(self, incoming: Incoming, request: Request, secure: bool) -> bool:
        """Answer who is not the owner."""
        guests = self._guests
        ours = self._door.from_this_site(request, secure)
        if guests and await guests.joins(incoming, request, secure, ours):
            return incoming.unread()
        one = guests.of(request) if guests else None
        if guests is None or one is None:
            await reply_page(incoming, request, 401, "login_needed")
        elif not self._door.same_origin(request, secure):
            await reply_page(incoming, request, 403, "other_origin")
        else:
            return await guests.take(incoming, request, one, self._passage.watching)
        return incoming.unread()

    async def _for_browser(self, incoming: Incoming, request: Request) -> bool:
        """Answer who has the cookie, which pages of other users may have as well (:mod:`...relay.gate`)."""
        own = request.path == "/" and gate.is_page(request)
        of_host = request.path.startswith(_DESKTOP)
        if of_host:
            request = replace(request, path=request.path[len(_DESKTOP) - 1 :])
        shows = self._door.has_page(request)
        if request.path == last_word.PATH and shows and h.is_websocket(request.headers):
            await self._last_word.tell(incoming, request)
            return True
        if request.path == websocket.CHECK and shows and h.is_websocket(request.headers):
            await websocket.check(incoming, request)
            return True
        if self._files and request.path.startswith(FILES):
            if shows or self._files.is_ticket(request):
                await self._files.answer(incoming, request)
            else:
                await reply_page(incoming, request, 403, "page_needed")
        elif request.path in (last_word.PATH, websocket.CHECK) and shows:
            await reply_page(incoming, request, 426, "no_websocket")
        elif request.path == pairing.PATH and self._host:
            await self._pairing(incoming, request, self._host)
        elif gate.refuses(request, in_frames=of_host) and not shows:
            await reply_page(incoming, request, 403, "page_needed")
        elif request.path.startswith("/control/"):
            await reply_page(incoming, request, 403, "login_refused")
        elif self._guests and request.path == sharing.JOIN:  # the owner, who tries his link
            await incoming.answer(303, [(b"location", b"./#"), *NO_STORE])
        elif own and self._viewer:
            await self._viewer.page(incoming, request, self._settings, self._door.page)
        elif not (self._viewer and await self._viewer.answer(incoming, request)):
            return await self._passage.take(incoming, request, bearer=False)
        return incoming.unread()

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
        headers = [(b"location", where), (b"set-cookie", cookie), FORGET, *NO_STORE]
        await incoming.answer(303, headers)

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
        if self._host is None:
            await reply_page(incoming, request, 403, "login_refused")
            return
        data = await incoming.short_body(MAX_BODY_BYTES)
        if data is None:
            await reply_page(incoming, request, 413, "login_refused")
            return
        try:
            body = json_of(data or b"null")
        except ValueError:
            body = None
        path = request.path.removeprefix("/control")
        status, answer = await self._host.control(request.method, path, body)
        await incoming.answer(status, JSON, json.dumps(answer).encode())
