"""The small picture of a running desktop: its owner's alone, and kept nowhere."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from jupyter_server.auth.decorator import authorized
from moonlight_spawner.model.errors import FieldError, InvalidRequest
from moonlight_spawner.model.limits import MAX_PICTURE_BYTES
from tornado.web import authenticated

from .node import NodeHandler

_MAX_BODY_BYTES = 1024
_JPEG = b"\xff\xd8\xff"


class PictureHandler(NodeHandler):
    """``GET`` and ``PUT /api/moonlight/sessions/<id>/picture``"""

    @authenticated
    @authorized(action="execute")  # who may only look at sessions may not look at their screens
    async def get(self, session_id: str) -> None:
        self.set_header("Cache-Control", "no-store")
        answer = await self.answer_of(session_id, "GET", "/picture")
        if answer is None:
            return
        if (data := _jpeg(answer.get("jpeg"))) is None:
            self.refuse(502, "node_away", "The session's node has sent no picture.")
            return
        # Its user's node has made it: it is a picture to a browser, whatever is in it.
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.finish(data, set_content_type="image/jpeg")

    @authenticated
    @authorized
    async def put(self, session_id: str) -> None:
        await self.reach(session_id)  # an unknown session is not found, whatever is sent
        body = self.json_body(_MAX_BODY_BYTES)
        if not isinstance(body, dict) or list(body) != ["shown"]:
            message = 'The request must be {"shown": true} or {"shown": false}.'
            raise InvalidRequest([FieldError("body", None, message)])
        await self.ask(session_id, "PUT", "/picture", body)


def _jpeg(text: Any) -> bytes | None:
    """What a node says is a picture, if it looks like one and is as small as ours are."""
    if not isinstance(text, str) or len(text) > MAX_PICTURE_BYTES * 4 // 3 + 4:
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if data.startswith(_JPEG) and len(data) <= MAX_PICTURE_BYTES else None


HANDLERS = [(r"/api/moonlight/sessions/([^/]+)/picture", PictureHandler)]
