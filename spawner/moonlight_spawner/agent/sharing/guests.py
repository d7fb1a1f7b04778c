"""The gateway's other door: who was invited, and the little that is there for him.

It is said by name what a guest gets. Whatever else the gateway has (what the session is asked, its
clipboard, files, pairing, stop, the portal's paths) is not behind this door.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

import h11

from ...relay import gate
from ...relay import headers as h
from ...relay.forward import relay_exchange, relay_page, relay_stream
from ...relay.incoming import Incoming, Request
from ...relay.one_session import DESKTOP
from ...relay.replies import FORGET, NO_STORE, reply_page
from ...relay.upstream import Target, UpstreamError
from ..hosts import Host
from . import pages, told
from .guard import Guard
from .hands import Hands
from .invitations import Invitation, Invitations

log = logging.getLogger(__name__)

_DESKTOP = DESKTOP.removeprefix(".")
_MAX_FORM_BYTES = 1024
_HEARD_SECONDS = 0.5
# Of one guest, with what he asks for beside them. A browser has six at a time, and three sockets.
_MAX_STREAMS, _MAX_OPEN = 4, 16


@dataclass(frozen=True)
class Shown:
    """What of the streaming host there is for guests (:class:`..hosts.Host`)."""

    target: Callable[[], Target | None]
    answer: Callable[[str], tuple[int, h.Headers, bytes] | None]
    around_stream: Callable[[str], AbstractAsyncContextManager[None]]
    websocket: str
    watching: str
    page: str
    files: str

    @classmethod
    def of(cls, host: Host, target: Callable[[], Target | None]) -> Shown:
        return cls(
            target,
            host.answer,
            host.around_stream,
            host.signaling_path,
            host.watching,
            host.watching_page,
            host.watching_files,
        )


Watching = AbstractContextManager[Any]


class Guests:
    """Answers those whom the session's owner has invited.

    Parameters
    ----------
    name
        What tells this session's cookie from those of others.
    """

    def __init__(self, invitations: Invitations, shown: Shown, name: str):
        self.invitations = invitations
        self._shown = shown
        self._telling: told.Telling = set()
        self._cookie_name = "moonlight_guest_" + re.sub(r"[^a-z0-9]", "", name[-10:])

    def of(self, request: Request) -> Invitation | None:
        """Whose cookie this request has, if it is a guest's; or whose bearer, if it is a server's that
        he is logged in to."""
        if bearer := _bearer(request):
            return self._known([bearer])
        shown = [
            value
            for name, cookies in request.headers
            if name == b"cookie"
            for part in cookies.split(b";")
            for cookie, _, value in [part.strip().partition(b"=")]
            if cookie == self._cookie_name.encode()
        ]
        return self._known([one.decode("latin-1") for one in shown[:8]])

    async def end(self, why: str) -> None:
        """The session ends, and every invitation with it."""
        for one in self.invitations:
            self.invitations.end(one, why)
        if self._telling:
            await asyncio.wait(self._telling, timeout=_HEARD_SECONDS)

    async def joins(self, incoming: Incoming, request: Request, secure: bool, ours: bool) -> bool:
        """Answer who follows a link; False if this is nothing of that. ``ours``: a form of this site's."""
        language = h.get(request.headers, b"accept-language")
        if request.path == pages.JOIN_SCRIPT:
            await incoming.answer(200, pages.SCRIPT_HEADERS, pages.join_script())
        elif request.path != pages.JOIN:
            return False
        elif request.method != "POST":
            await incoming.answer(200, [*pages.headers(), FORGET], pages.join(language))
        elif not ours:
            await reply_page(incoming, request, 403, "other_origin")
        else:
            await self._join(incoming, request, secure)
        return True

    async def _join(self, incoming: Incoming, request: Request, secure: bool) -> None:
        body = await incoming.short_body(_MAX_FORM_BYTES) or b""
        try:
            fields = parse_qs(body.decode("ascii"), max_num_fields=4)
        except ValueError:
            fields = {}
        token = (fields.get("token") or [""])[0]
        one = self.invitations.join(token, _where(incoming, request))
        if one is None:
            await reply_page(incoming, request, 403, "no_invitation")
            return
        if "json" in h.get(
            request.headers, b"accept"
        ):  # a server, which has a page of its own for him
            told = {"bearer": one.cookie, "role": one.role, "until": one.until.isoformat()}
            body = json.dumps(told).encode()
            await incoming.answer(200, [(b"content-type", b"application/json"), *NO_STORE], body)
            return
        cookie = f"{self._cookie_name}={one.cookie}; HttpOnly; SameSite=Strict"
        if secure or h.get(request.headers, b"x-forwarded-proto") == "https":
            cookie += "; Secure"
        # Relative, and a cookie without a path: see Door.set_cookie.
        headers = [(b"location", b"./"), (b"set-cookie", cookie.encode()), *NO_STORE]
        await incoming.answer(303, headers)

    async def take(
        self, incoming: Incoming, request: Request, one: Invitation, watching: Watching
    ) -> bool:
        """Answer a guest's request; True if the connection has become a stream and is over, which is
        among those of ``watching`` as long as it lasts.

        However many connections he opens, some are left for the owner.
        """
        if one.open >= _MAX_OPEN:
            await reply_page(incoming, request, 403, "guest_may_not")
            return incoming.unread()
        one.open += 1
        try:
            return await self._take(incoming, request, one, watching)
        finally:
            one.open -= 1

    async def _take(
        self, incoming: Incoming, request: Request, one: Invitation, watching: Watching
    ) -> bool:
        bearer = bool(_bearer(request))
        shows = bearer or hmac.compare_digest(
            gate.token_of(request).encode("utf-8", "replace"), one.page.encode()
        )
        websocket = h.is_websocket(request.headers)
        # Who has a page and a client of his own is given neither of ours.
        if request.method != "GET" or (bearer and not websocket) or (websocket and not shows):
            await reply_page(incoming, request, 403, "guest_may_not")
        elif websocket:
            return await self._socket(incoming, request, one, watching)
        elif request.path == "/" and gate.is_page(request):
            language = h.get(request.headers, b"accept-language")
            page = pages.guest(language, one, self._shown.page)
            page = gate.with_token(page, "/", one.page)
            await incoming.answer(200, pages.headers(), page)
        elif request.path == gate.SCRIPT or request.path == _DESKTOP + gate.SCRIPT[1:]:
            await incoming.answer(200, pages.SCRIPT_HEADERS, gate.script())
        elif request.path == pages.GUEST_SCRIPT:
            await incoming.answer(200, pages.SCRIPT_HEADERS, pages.guest_script())
        elif request.path.startswith(_DESKTOP):
            path = request.path[len(_DESKTOP) - 1 :]
            await self._client(incoming, replace(request, path=path), shows)
        else:
            await reply_page(incoming, request, 403, "guest_may_not")
        return incoming.unread()

    async def _socket(
        self, incoming: Incoming, request: Request, one: Invitation, watching: Watching
    ) -> bool:
        if request.path in (told.END, told.NEWS):
            await told.tell(incoming, request, one, self._telling)
            return True
        if request.path != _DESKTOP[:-1] + self._shown.websocket or one.here >= _MAX_STREAMS:
            await reply_page(incoming, request, 403, "guest_may_not")
            return incoming.unread()
        try:
            with watching:
                await self._stream(incoming, request, one)
        except UpstreamError as e:
            log.info("sharing: %s", e)
            if not incoming.wire.transport.is_closing():
                await reply_page(incoming, request, 502, "host_away")
        return True

    async def _stream(self, incoming: Incoming, request: Request, one: Invitation) -> None:
        """A viewer's stream, whatever the request says of itself."""
        target = self._there()
        hands = Hands(one, target.path, self._shown.websocket)

        def ends() -> None:
            if one.over:
                incoming.wire.transport.abort()

        one.changed.add(ends)
        self.invitations.streams(one, 1)
        # What is compressed could not be read on its way.
        kept = [(n, v) for n, v in request.headers if n != b"sec-websocket-extensions"]
        plain = replace(
            request, path=self._shown.websocket, query=self._shown.watching, headers=kept
        )
        try:
            async with self._shown.around_stream(self._shown.websocket):
                if not one.over:
                    await relay_stream(incoming, plain, target, through=Guard(hands.act))
        finally:
            self.invitations.streams(one, -1)
            one.changed.discard(ends)
            await hands.stop()

    async def _client(self, incoming: Incoming, request: Request, shows: bool) -> None:
        """The host's page and the files of its client."""
        try:
            await self._of_host(incoming, request, shows)
        except UpstreamError as e:
            log.info("sharing: %s", e)
            with contextlib.suppress(h11.LocalProtocolError):  # the answer had begun already
                await reply_page(incoming, request, 502, "host_away")

    async def _of_host(self, incoming: Incoming, request: Request, shows: bool) -> None:
        page = self._shown.page.partition("#")[0]
        probe = request.path == self._shown.websocket and shows
        if request.path == page and gate.is_frame(request):
            if known := self._shown.answer(page):
                status, headers, body = known
                await incoming.answer(status, headers, gate.with_token(body, page, ""))
                return
            await relay_page(incoming, replace(request, query=""), self._there(), "")
        elif probe or (re.fullmatch(self._shown.files, request.path) and ".." not in request.path):
            await relay_exchange(incoming, replace(request, query=""), self._there())
        else:
            await reply_page(incoming, request, 403, "guest_may_not")

    def _there(self) -> Target:
        target = self._shown.target()
        if target is None:
            raise UpstreamError("the streaming host is starting again")
        return target

    def _known(self, shown: list[str]) -> Invitation | None:
        found = None
        for one in self.invitations:
            for value in shown:
                if one.joined_at and hmac.compare_digest(
                    value.encode("utf-8", "replace"), one.cookie.encode()
                ):
                    found = one
        return found


def _bearer(request: Request) -> str:
    scheme, _, value = h.get(request.headers, b"authorization").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _where(incoming: Incoming, request: Request) -> str:
    """Where somebody comes from, as far as that is known; what a proxy says of it is its word."""
    said = h.get(request.headers, b"x-forwarded-for")
    kept = re.sub(r"[^0-9a-fA-F.:, ]", "?", said)[:100]
    return f"{incoming.wire.peer} (for {kept})" if kept else incoming.wire.peer or "this machine"
