"""What all handlers share: the manager, the user, and errors as JSON."""

from __future__ import annotations

import json
import logging
import math
from http.client import responses
from typing import Any

from jupyter_server.base.handlers import APIHandler
from moonlight_spawner.errors import InvalidRequest, MoonlightError, NotFound
from moonlight_spawner.manager import SessionManager
from moonlight_spawner.session import Session
from tornado.web import HTTPError

log = logging.getLogger(__name__)

RESOURCE = "moonlight"

STATUS = {
    "invalid_request": 400,
    "not_found": 404,
    "image_unavailable": 409,
    "limit_reached": 409,
    "scheduler_refused": 422,
    "scheduler_unavailable": 503,
    "records_unwritable": 507,
    "unsafe_directory": 500,
}
_CODES = {
    400: "invalid_request",
    401: "forbidden",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
}
_MESSAGES = {
    403: "You are not logged in, or the XSRF token is missing. Reload the page.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The request is too large.",
}


class ManagerMixin:
    """The server's one manager."""

    settings: dict[str, Any]
    base_url: str

    @property
    def manager(self) -> SessionManager:
        manager: SessionManager = self.settings["moonlight_manager"]
        return manager

    @property
    def user(self) -> str:
        return str(self.settings["moonlight_user"])

    def as_json(self, session: Session) -> dict[str, Any]:
        """A session with the addresses that it has in this server."""
        page = f"{self.base_url}moonlight/sessions/{session.session_id}/"
        data: dict[str, Any] = json.loads(session.model_dump_json())
        return {**data, "web_url": page, "stream_url": page + "desktop/"}


class JSONErrors:
    """Errors as programs read them. For a :class:`tornado.web.RequestHandler`."""

    set_status: Any
    set_header: Any
    finish: Any

    def write_json_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error as ``{"message": …, "error": {"code": …, "fields": […]}}``."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        body: dict[str, Any] = {"code": _CODES.get(status_code, "internal_error")}
        message = _MESSAGES.get(status_code) or responses.get(status_code, "Unknown error")
        if isinstance(error, MoonlightError):
            status_code = STATUS.get(error.code, 500)
            body["code"], message = error.code, error.message
            if isinstance(error, InvalidRequest):
                body["fields"] = [{**vars(f), "value": _plain(f.value)} for f in error.fields]
        elif isinstance(error, HTTPError) and error.log_message and status_code == 400:
            message = error.log_message
        elif status_code == 500:
            message = "Something failed in the portal itself; its log says what."
        self.set_status(status_code)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"message": message, "error": body}))


class MoonlightAPIHandler(JSONErrors, ManagerMixin, APIHandler):
    """Base of the REST handlers."""

    auth_resource = RESOURCE

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.write_json_error(status_code, **kwargs)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if isinstance(value, MoonlightError):
            log.info("%s %s: %s", self.request.method, self.request.path, value)
        else:
            super().log_exception(typ, value, tb)


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity, so a wrong value is repeated as a word."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class NothingHere(MoonlightAPIHandler):
    """Any other path below the API."""

    async def prepare(self) -> None:
        await super().prepare()
        if self.current_user is None:
            raise HTTPError(403)
        if not self._finished:
            raise NotFound(f"There is nothing at {self.request.path[:120]}.")


__all__ = ["JSONErrors", "ManagerMixin", "MoonlightAPIHandler", "NothingHere"]
