"""What the session's node is asked: native Moonlight clients, the desktop's clipboard, and to keep a desktop
that nobody seems to use."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

from jupyter_server.auth.decorator import authorized
from moonlight_spawner.model.errors import FieldError, InvalidRequest, shorten
from moonlight_spawner.model.limits import MAX_BODY_BYTES, MAX_CLIPBOARD_BYTES
from moonlight_spawner.relay.upstream import UpstreamError
from moonlight_spawner.sessions.control import control
from tornado.web import authenticated

from .base import MoonlightAPIHandler

_MAX_PIN_BYTES = 4096


class NodeHandler(MoonlightAPIHandler):
    """Hands a question to the session's node and its answer to the caller."""

    async def ask(self, session_id: str, method: str, path: str, body: Any = None) -> None:
        answer = await self.answer_of(session_id, method, path, body)
        if answer is not None:
            self.finish(answer)

    async def answer_of(
        self, session_id: str, method: str, path: str, body: Any = None
    ) -> dict[str, Any] | None:
        """What the node says; None: the caller has been answered that it cannot or will not.

        Raises
        ------
        NotFound
        """
        reach = await self.reach(session_id)
        if reach.target is None:
            self.refuse(409, "not_running", "The desktop does not run, so it cannot be asked.")
            return None
        # A manager of many users' sessions counts how long it takes to read what a user's gateway says.
        of = getattr(self.manager, "reading", None)
        reading = of(self.user) if of else nullcontext
        try:
            status, answer = await control(reach.target, method, path, body, reading)
        except UpstreamError as e:
            self.refuse(502, "node_away", f"The session's node cannot be asked: {e}.")
            return None
        if status < 400:
            return answer
        # The gateway's own refusals have the form of the API's errors.
        error = answer.get("error")
        error = error if isinstance(error, dict) else answer
        code = error.get("code", "not_found")
        self.refuse(status, code, answer.get("message", ""), error.get("fields"))
        return None

    def refuse(self, status: int, code: str, message: str, fields: Any = None) -> None:
        self.refused_code = code
        error = {"code": code, **({"fields": fields} if fields else {})}
        self.set_status(status)
        self.finish({"message": message, "error": error})

    def json_body(self, most: int) -> Any:
        """The request's body.

        Raises
        ------
        InvalidRequest
            It is too long, or no JSON.
        """
        data = self.body
        try:
            if len(data) > most:
                raise ValueError(f"it has {len(data)} bytes, at most {most} are taken")
            return json.loads(data or b"null", parse_constant=_no_constant)
        except (ValueError, RecursionError) as e:
            error = FieldError("body", None, f"The request is not JSON: {shorten(str(e), 120)}.")
            raise InvalidRequest([error]) from e


class NativeHandler(NodeHandler):
    """``GET /api/moonlight/sessions/<id>/native``"""

    @authenticated
    @authorized
    async def get(self, session_id: str) -> None:
        await self.ask(session_id, "GET", "/native")


class PinHandler(NodeHandler):
    """``POST /api/moonlight/sessions/<id>/native/pin``"""

    @authenticated
    @authorized
    async def post(self, session_id: str) -> None:
        await self.ask(session_id, "POST", "/native/pin", self.json_body(_MAX_PIN_BYTES))


class ClientHandler(NodeHandler):
    """``DELETE /api/moonlight/sessions/<id>/native/clients/<uuid>``"""

    @authenticated
    @authorized
    async def delete(self, session_id: str, uuid: str) -> None:
        await self.ask(session_id, "DELETE", f"/native/clients/{uuid}")


class ClipboardHandler(NodeHandler):
    """``GET`` and ``PUT /api/moonlight/sessions/<id>/clipboard``"""

    @authenticated
    @authorized(action="execute")  # who may only look at sessions may not read what is copied there
    async def get(self, session_id: str) -> None:
        self.set_header("Cache-Control", "no-store")
        await self.ask(session_id, "GET", "/clipboard")

    @authenticated
    @authorized
    async def put(self, session_id: str) -> None:
        # An unknown session is not found, whatever is sent.
        await self.reach(session_id)
        if self.received > MAX_BODY_BYTES:
            self._refuse_long(self.received)
            return
        body = self.json_body(MAX_BODY_BYTES)
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str):
            raise InvalidRequest([FieldError("text", None, "text must be a text.")])
        size = len(text.encode("utf-8", "replace"))
        if size > MAX_CLIPBOARD_BYTES:
            self._refuse_long(size)
            return
        await self.ask(session_id, "PUT", "/clipboard", {"text": text})

    def refuse_body(self, size: int) -> None:
        self._refuse_long(size)

    def _refuse_long(self, size: int) -> None:
        message = f"text has {size} bytes; at most {MAX_CLIPBOARD_BYTES} are taken."
        fields = [{"field": "text", "value": None, "message": message}]
        self.refuse(413, "text_too_long", message, fields)


class KeepHandler(NodeHandler):
    """``POST /api/moonlight/sessions/<id>/keep``"""

    @authenticated
    @authorized
    async def post(self, session_id: str) -> None:
        await self.ask(session_id, "POST", "/keep")
        self.settings["moonlight_watchers"].look(self.user)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


HANDLERS = [
    (r"/api/moonlight/sessions/([^/]+)/native", NativeHandler),
    (r"/api/moonlight/sessions/([^/]+)/native/pin", PinHandler),
    (r"/api/moonlight/sessions/([^/]+)/native/clients/([0-9A-Fa-f-]{1,64})", ClientHandler),
    (r"/api/moonlight/sessions/([^/]+)/clipboard", ClipboardHandler),
    (r"/api/moonlight/sessions/([^/]+)/keep", KeepHandler),
]
