"""Errors as programs read them: JSON, with a code that stays."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from http.client import responses
from typing import Any

from moonlight_spawner.model.errors import MoonlightError, as_json
from tornado.web import HTTPError, RequestHandler

log = logging.getLogger(__name__)

STATUS = {
    "invalid_request": 400,
    "not_found": 404,
    "no_invitation": 403,
    "image_unavailable": 409,
    "limit_reached": 409,
    "not_in_job": 409,
    "session_lives": 409,
    "choices_changed": 409,
    "scheduler_refused": 422,
    "scheduler_unavailable": 503,
    "store_unavailable": 503,
    "choices_unavailable": 503,
    "user_side_failed": 502,
    "user_side_unavailable": 503,
    "user_side_busy": 503,
    "user_side_timeout": 504,
    "records_unwritable": 507,
    "unsafe_directory": 500,
    "token_refused": 401,
    "token_unclear": 503,
    "too_many_requests": 429,
}
_CODES = {
    400: "invalid_request",
    401: "forbidden",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    426: "no_websocket",
}
_MESSAGES = {
    403: "You are not logged in, or the XSRF token is missing. Reload the page.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The request is too large.",
    426: "This address is for WebSockets alone, or a proxy on the way has taken the Upgrade header away.",
}


def takes(handler: type[Any]) -> list[str]:
    """The methods that this kind of handler has."""
    none = RequestHandler._unimplemented_method
    names: Collection[str] = handler.SUPPORTED_METHODS
    return [name for name in names if getattr(handler, name.lower()) is not none]


class JSONErrors:
    """Errors as programs read them. For a :class:`tornado.web.RequestHandler`."""

    request: Any
    #: Of the error that was answered; for those who count.
    refused_code = ""

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
            described = as_json(error)
            body, message = described["error"], described["message"]
            if error.retry_after is not None:
                self.set_header("Retry-After", str(error.retry_after))
        elif isinstance(error, HTTPError) and error.log_message and status_code == 400:
            message = error.log_message
        elif status_code == 500:
            message = "Something failed in the portal itself; its log says what."
        self.refused_code = str(body["code"])
        self.set_status(status_code)
        if status_code == 405:
            self.set_header("Allow", ", ".join(takes(type(self))))  # RFC 9110, 15.5.6
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"message": message, "error": body}))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A refusal is no fault of the program."""
        if isinstance(value, MoonlightError):
            log.info("%s %s: %s", self.request.method, self.request.path, value)
        else:
            super().log_exception(typ, value, tb)  # type: ignore[misc]


__all__ = ["JSONErrors", "takes"]
