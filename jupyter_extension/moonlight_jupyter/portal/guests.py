"""The guest's side of sharing at a portal: another user's desktop, by the invitation that he brings.

The service goes to the session's gateway by that session's own record, as a guest: with what the gateway
has given for this invitation, never with what is its owner's. Whatever the guest may do besides is decided
there. He is there as long as the invitation, the session and the login last by which he has come.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import nullcontext
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.utils import ensure_async
from moonlight_spawner.model.errors import FieldError, InvalidRequest, NotFound
from moonlight_spawner.model.session import now
from moonlight_spawner.relay import gate, languages, pages
from moonlight_spawner.relay import headers as h
from moonlight_spawner.relay.upstream import Target, UpstreamError
from moonlight_spawner.sessions import invited
from moonlight_spawner.sessions.control import Reading, control
from moonlight_spawner.sessions.reach import Reach
from moonlight_spawner.site.web_client import client_files
from tornado.iostream import IOStream
from tornado.web import HTTPError, authenticated

from ..base import pairs_of
from ..guest import files
from ..guest.handlers import NEWS, GuestSocket
from ..json_errors import JSONErrors
from ..node import NodeHandler
from ..page import PageHandler
from ..traffic import Traffic
from ..websocket import Refused
from . import login
from .identity import PortalIdentity, PortalUser
from .papers import Invitation, Papers, Ticket
from .refusals import LoginRefused, LoginUnclear
from .sharing import may_share

_MAX_BODY_BYTES = 8192
_GONE = "The invitation counts no more, or the desktop has ended. Ask for another one."
_AWAY = "The desktop's node cannot be reached now. Try again in a moment."


class JoinHandler(NodeHandler):
    """``POST /api/moonlight/guest``"""

    #: For the audit.
    told: dict[str, Any]

    @authenticated
    @authorized
    async def post(self) -> None:
        if not may_share(self):
            return
        body = self.json_body(_MAX_BODY_BYTES)
        papers: Papers = self.settings["moonlight_papers"]
        found = papers.read_invitation(body.get("invitation") if isinstance(body, dict) else None)
        if found is None:
            message = (
                "invitation is no whole invitation of this portal: copy all of what you were sent."
            )
            raise InvalidRequest([FieldError("invitation", None, message)])
        self.told = {
            "owner": found.owner,
            "session": found.session_id,
            "invitation": found.id,
        }
        if found.guest and found.guest != self.user:
            message = "This invitation is for another user of this portal. It was not used."
            self.refuse(403, "invited_another", message)
            return
        target = await self._target(found)
        if target is None:
            return
        reading: Reading = _reading(self.manager, found.owner)
        try:
            let = await invited.let_in(invited.as_guest(target), found.token, reading)
        except UpstreamError as e:
            self.log.warning("guest: %s cannot be joined: %s", found.session_id, e)
            _forget(self.manager, found.owner, found.session_id)
            self.refuse(502, "node_away", _AWAY)
            return
        await self._say_who(target, found, reading)
        try:
            word, ticket = papers.ticket(self.current_user, found, let)
        except ValueError as e:
            message = "The portal's token is too long for a guest: log in at the portal's page."
            raise InvalidRequest([FieldError("token", None, message)]) from e
        self.told["role"] = let.role
        self.set_header("Cache-Control", "no-store")
        self.finish({"ticket": word, "role": let.role, "until": ticket.until.isoformat()})

    async def _target(self, found: Invitation) -> Target | None:
        """Where the owner's session is; None: the caller has been answered that it is nowhere."""
        reach: Reach | None = None
        if found.until > now():
            with contextlib.suppress(NotFound):
                reach = await _reach(self.manager, found.owner, found.session_id)
        if reach is None or reach.end:
            self.refuse(403, "no_invitation", _GONE)
            return None
        if reach.target is None:
            self.refuse(502, "node_away", _AWAY)
        target: Target | None = reach.target
        return target

    async def _say_who(self, target: Target, found: Invitation, reading: Reading) -> None:
        """The owner is to see who has come: his node is told so, by the way that is his."""
        body, path = {"guest": self.user}, f"/sharing/{found.id}"
        try:
            await control(target, "PUT", path, body, reading)
        except UpstreamError as e:
            self.log.info("guest: the owner is not told who it is: %s", e)


class PortalGuestSocket(JSONErrors, GuestSocket):
    """``/moonlight/guest/news`` and ``…/api/websockets``, for who has a ticket."""

    current_user: Any
    #: For the audit.
    shown_by = ""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Connection", "close")
        self.write_json_error(status_code, **kwargs)

    @allow_unauthenticated  # a page of no origin has no login to show: the ticket says by which it is
    async def get(self, path: str) -> None:
        headers = pairs_of(self.request.headers)
        if not h.is_websocket(headers):
            raise HTTPError(426)
        ticket = self._ticket(headers)
        user = ticket.login() if ticket else None
        if ticket is None or user is None:
            await self._refuse(path, headers, "no_invitation")
            return
        identity: PortalIdentity = self.identity_provider
        try:
            await identity.confirm(user)
        except LoginUnclear:
            raise
        except LoginRefused:
            await self._refuse(path, headers, "login_over")
            return
        self.current_user = user
        self.count()
        self.hold()
        reach: Reach | None
        try:
            reach = await _reach(self.manager, ticket.owner, ticket.session_id)
        except NotFound:
            reach = None
        if reach is None or reach.end:
            await self._refuse(path, headers, "share_over")
        elif reach.target is None:
            self.away(UpstreamError("the session does not run"))
        else:
            await self._show(path, headers, invited.as_guest(reach.target, ticket.bearer), ticket)

    def _ticket(self, headers: h.Headers) -> Ticket | None:
        if self.manager.site.sharing == "off" or not client_files():
            return None
        papers: Papers = self.settings["moonlight_papers"]
        found = papers.read_ticket(gate.ticket_of(headers))
        who: PortalUser | None = self.current_user
        # Another user has logged in meanwhile, in the same browser.
        return None if found and who is not None and who.username != found.user else found

    async def _show(self, path: str, headers: h.Headers, target: Target, ticket: Ticket) -> None:
        """As long as his login counts."""
        user, traffic = self.current_user, Traffic()
        self.shown_by = ticket.owner
        tell = self.settings["moonlight_tell_stream"]

        def detach() -> IOStream:
            if path != NEWS:
                tell(self, ticket.session_id, traffic, False)
            return self.detach()

        shown = asyncio.ensure_future(self.pass_on(target, path, headers, traffic, detach))
        over = asyncio.ensure_future(self.identity_provider.until_over(user))
        try:
            await asyncio.wait({shown, over}, return_when=asyncio.FIRST_COMPLETED)
            shown.cancel()
            await shown
        except asyncio.CancelledError:
            if not over.done():
                raise
            self.settings["moonlight_audit"].guest_out(self, ticket.session_id)
        except Refused as e:
            if e.status == 401:
                await self._refuse(path, headers, "no_invitation")
            else:
                self.away(e)
        except UpstreamError as e:
            _forget(self.manager, ticket.owner, ticket.session_id)
            self.away(e)
        finally:
            shown.cancel()  # also where this very handler was
            over.cancel()
            if path != NEWS and traffic.begun:
                tell(self, ticket.session_id, traffic, True)

    async def _refuse(self, path: str, headers: h.Headers, why: str) -> None:
        if path != NEWS:
            raise HTTPError(403)
        await self.say_over(headers, why)


class ArrivalHandler(PageHandler):
    """``/moonlight/join/``: where a link of an invitation leads, also who is not logged in yet.

    What is behind its ``#`` would go with a redirection to the portal's login, into an address there; so a
    script of ours keeps it in the tab meanwhile.
    """

    def send_to_login(self) -> None:
        if self.request.method != "GET":
            super().send_to_login()
            return
        address = login.login_address(self)
        language = self.request.headers.get("Accept-Language", "")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        script = f'<script src="{self.base_url}moonlight/guest/arrive.js"></script>'
        label = languages.words(languages.spoken(language))["sharing"]["log_in"]
        self.finish(pages.html("log_in_first", language, link=(address, label), form=script))


def _reading(manager: Any, owner: str) -> Reading:
    """In what an answer of the owner's gateway is read, where the time for that is counted."""
    of = getattr(manager, "reading", None)
    reading: Reading = of(owner) if of else nullcontext
    return reading


async def _reach(manager: Any, owner: str, session_id: str) -> Reach:
    """Of another user's session: his invitation, or what came of it, is the leave to ask for that.

    Raises
    ------
    NotFound
    """
    found: Reach = await ensure_async(manager.reach(owner, session_id))
    return found


def _forget(manager: Any, owner: str, session_id: str) -> None:
    if forget := getattr(manager, "forget_reach", None):
        forget(owner, session_id)


HANDLERS: list[tuple[str, Any]] = [
    (r"/api/moonlight/guest", JoinHandler),
    (r"/moonlight/guest/(news|api/websockets)", PortalGuestSocket),
    (r"/moonlight/guest/(.+)", files.GuestFiles),
    (r"/moonlight/join/?", ArrivalHandler),
]
__all__ = ["HANDLERS"]
