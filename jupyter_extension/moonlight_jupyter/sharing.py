"""Whom the user has invited to a desktop that runs: asked of its node, as at the node's own page."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from moonlight_spawner.sessions import invited
from tornado.web import authenticated

from .node import NodeHandler

_MAX_BODY_BYTES = 4096


class SharingHandler(NodeHandler):
    """``GET``, ``POST`` and ``DELETE /api/moonlight/sessions/<id>/sharing``"""

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        await self.ask(session_id, "GET", "/sharing")

    @authenticated
    @authorized
    async def post(self, session_id: str) -> None:
        body = self.json_body(_MAX_BODY_BYTES)
        made = await self.answer_of(session_id, "POST", "/sharing", body)
        if made is None:
            return
        token, target = made.get("token"), (await self.reach(session_id)).target
        if target is None or not isinstance(token, str):
            self.refuse(502, "node_away", "The session's node has made no invitation.")
            return
        self.set_status(201)
        self.set_header("Cache-Control", "no-store")
        self.finish({**made, "invitation": invited.text_of(target, token)})

    @authenticated
    @authorized
    async def delete(self, session_id: str) -> None:
        await self.ask(session_id, "DELETE", "/sharing")


class InvitationHandler(NodeHandler):
    """``PATCH`` and ``DELETE /api/moonlight/sessions/<id>/sharing/<invitation>``"""

    @authenticated
    @authorized
    async def patch(self, session_id: str, invitation: str) -> None:
        body = self.json_body(_MAX_BODY_BYTES)
        await self.ask(session_id, "PATCH", f"/sharing/{invitation}", body)

    @authenticated
    @authorized
    async def delete(self, session_id: str, invitation: str) -> None:
        await self.ask(session_id, "DELETE", f"/sharing/{invitation}")


HANDLERS = [
    (r"/api/moonlight/sessions/([^/]+)/sharing", SharingHandler),
    (r"/api/moonlight/sessions/([^/]+)/sharing/([0-9a-f]{1,32})", InvitationHandler),
]
