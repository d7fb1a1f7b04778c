"""The owner's side of sharing at a portal: he invites its users, by name or whoever has the link."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized
from moonlight_spawner.model.errors import shorten
from moonlight_spawner.site.web_client import client_files
from pydantic import ValidationError
from tornado.web import authenticated

from .. import sharing
from ..node import NodeHandler
from .papers import Made, Papers
from .refusals import LoginRefused, LoginUnclear

_MAX_BODY_BYTES = 4096


class SharingHandler(sharing.SharingHandler):
    """``GET``, ``POST`` and ``DELETE /api/moonlight/sessions/<id>/sharing``"""

    #: For the audit.
    told: dict[str, Any]

    @authenticated
    @authorized
    async def post(self, session_id: str) -> None:
        await self.reach(session_id)  # another's is not there, whatever is sent
        if not may_share(self):
            return
        body = self.json_body(_MAX_BODY_BYTES)
        asked = body if isinstance(body, dict) else {}
        guest = await self._guest(asked.get("user"))
        if guest is None:
            return
        asked = {name: asked[name] for name in ("role", "minutes", "name") if name in asked}
        self.told = {"guest": guest or "anybody", **_words(asked)}
        made = await self.answer_of(
            session_id, "POST", "/sharing", {**({"name": guest} if guest else {}), **asked}
        )
        if made is None:
            return
        try:
            said = Made.model_validate(made)
        except ValidationError:
            self.refuse(502, "node_away", "The session's node has made no invitation.")
            return
        self.told["invitation"] = said.id
        papers: Papers = self.settings["moonlight_papers"]
        word = papers.invitation(self.user, session_id, said, guest)
        self.set_status(201)
        self.set_header("Cache-Control", "no-store")
        made.pop("token")
        self.finish({**made, "user": guest or None, "invitation": word})

    async def _guest(self, name: Any) -> str | None:
        """Whom the invitation is for; empty: whoever has a login. None: the caller has been answered that
        it is no user."""
        if name in ("", None):
            return ""
        try:
            if not isinstance(name, str):
                raise LoginRefused("user must be a name.")
            await self.identity_provider.account(name)
        except LoginUnclear:
            raise
        except LoginRefused:
            told = shorten(name) if isinstance(name, str) else None
            message = f"{told or 'What user says'} is no user of this portal."
            fields = [{"field": "user", "value": told, "message": message}]
            self.refuse(400, "unknown_user", message, fields)
            return None
        return str(name)


class InvitationHandler(sharing.InvitationHandler):
    """``PATCH`` and ``DELETE /api/moonlight/sessions/<id>/sharing/<invitation>``"""

    told: dict[str, Any]

    @authenticated
    @authorized
    async def patch(self, session_id: str, invitation: str) -> None:
        body = self.json_body(_MAX_BODY_BYTES)
        role = body.get("role") if isinstance(body, dict) else None
        self.told = {"invitation": invitation, **_words({"role": role})}
        await self.ask(session_id, "PATCH", f"/sharing/{invitation}", {"role": role})

    @authenticated
    @authorized
    async def delete(self, session_id: str, invitation: str) -> None:
        self.told = {"invitation": invitation}
        await self.ask(session_id, "DELETE", f"/sharing/{invitation}")


def may_share(handler: NodeHandler) -> bool:
    """Whether this service lets desktops be shown to others; if not, that is answered."""
    if handler.manager.site.sharing == "off":
        handler.refuse(403, "sharing_off", "Desktops are not shared here.")
        return False
    if not client_files():
        message = (
            "This server has no selkies, whose client shows the picture. Ask your administrator."
        )
        handler.refuse(409, "no_client", message)
        return False
    return True


def _words(asked: dict[str, Any]) -> dict[str, Any]:
    """What of that is of a form that a line of the audit has."""
    role, minutes = asked.get("role"), asked.get("minutes")
    told: dict[str, Any] = {"role": role} if role in ("view", "control") else {}
    return {**told, "minutes": minutes} if type(minutes) is int and minutes < 1 << 31 else told


HANDLERS = [
    (r"/api/moonlight/sessions/([^/]+)/sharing", SharingHandler),
    (r"/api/moonlight/sessions/([^/]+)/sharing/([0-9a-f]{1,32})", InvitationHandler),
]
