"""Who did what: one line of JSON for each thing that somebody did, or tried to.

To the logger ``moonlight_hpc.audit``, which is the service's log, or to a file of its own. JSON in ASCII
has no line ends and no control characters, whatever users send; tokens, cookies and bodies are not asked.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO

from moonlight_spawner.model.errors import shorten
from moonlight_spawner.model.session import from_epoch

from ..traffic import Traffic

log = logging.getLogger(__name__)

_LONGEST = 200

_SHARING = "/api/moonlight/sessions/([^/]+)/sharing"
# By route and method. What only a refusal makes worth a line is below.
_ACTIONS = {
    ("/api/moonlight/login", "POST"): "login",
    ("/api/moonlight/logout", "POST"): "logout",
    ("/api/moonlight/choices", "PUT"): "choose",
    ("/api/moonlight/sessions", "POST"): "create",
    ("/api/moonlight/sessions", "DELETE"): "delete",
    ("/api/moonlight/sessions/([^/]+)", "DELETE"): "stop",
    ("/api/moonlight/sessions/([^/]+)", "PATCH"): "rename",
    ("/api/moonlight/sessions/([^/]+)/record", "DELETE"): "delete",
    ("/api/moonlight/sessions/([^/]+)/keep", "POST"): "keep",
    ("/api/moonlight/sessions/([^/]+)/logs", "GET"): "logs",
    (_SHARING, "POST"): "invite",
    (_SHARING, "DELETE"): "end_sharing",
    (f"{_SHARING}/([0-9a-f]{{1,32}})", "PATCH"): "change_invitation",
    (f"{_SHARING}/([0-9a-f]{{1,32}})", "DELETE"): "end_invitation",
    ("/api/moonlight/guest", "POST"): "join",
}
_LOOKS = {
    ("/api/moonlight/sessions", "GET"): "list",
    ("/api/moonlight/sessions/([^/]+)", "GET"): "look",
}
_CALLBACK = "/api/moonlight/callback/([^/]+)"


class Audit:
    """``file``: where to; empty for the service's log."""

    def __init__(self, file: str):
        self._log = logging.getLogger("moonlight_hpc.audit")
        self._file: _PrivateFile | None = None
        if file:
            try:
                self._file = _PrivateFile(Path(file))
            except OSError as e:
                raise ValueError(
                    f"portal_audit_file {file} cannot be written: {e.strerror}."
                ) from e
            self._log.addHandler(self._file)
            self._log.propagate = False

    def close(self) -> None:
        if self._file:
            self._log.removeHandler(self._file)
            self._log.propagate = True
            self._file.close()

    def tell(self, action: str, **fields: Any) -> None:
        """One line. Empty fields are left out, long texts shortened."""
        told = {
            "time": from_epoch(time.time()).isoformat().replace("+00:00", "Z"),
            "action": action,
        }
        for name, value in fields.items():
            if value not in ("", None):
                told[name] = shorten(value, _LONGEST) if isinstance(value, str) else value
        self._log.info("%s", json.dumps(told))

    def finished(self, handler: Any, route: str) -> None:
        """A request was answered: a line if it did something, or was refused for who asked."""
        method = handler.request.method
        action = _ACTIONS.get((route, method))
        # Not asked for anew: a request may have been refused before anybody looked who it is.
        user, names = (
            getattr(handler, "_current_user", None),
            handler.request.query_arguments.get("user", []),
        )
        who = getattr(user, "username", "")
        # Of nobody nothing is known, whomever he names.
        whose = names[0].decode("utf-8", "replace") if names and who else who
        refusal = getattr(handler, "login_refusal", None)
        if action is None and whose != who:
            action = _LOOKS.get((route, method))
        if action is None and route == _CALLBACK and handler.get_status() in (401, 403, 404):
            action = "callback"
        if action is None and refusal is not None and not refusal.again:
            action = "access"
        if action is None or (action == "logout" and user is None):
            return
        refused = handler.get_status() >= 400
        told = dict(getattr(handler, "told", {}))  # what else it was about
        self.tell(
            action,
            user=whose,
            admin=who if whose != who else "",
            session=told.pop("session", "") or _session(handler),
            **told,
            deleted=getattr(handler, "deleted", None),
            door=_door(handler) if action == "create" else "",
            address=handler.request.remote_ip,
            result="refused" if refused else "done",
            status=handler.get_status(),
            reason=getattr(handler, "refused_code", "") if refused else "",
            message=refusal.message if refusal is not None and refused else "",
        )

    def stream(self, handler: Any, session_id: str, traffic: Traffic, over: bool) -> None:
        """A stream was opened, or is over."""
        more: dict[str, Any] = {}
        if over:
            more = {
                "seconds": round(time.monotonic() - traffic.begun, 1),
                "bytes_to_browser": traffic.to_browser,
                "bytes_from_browser": traffic.from_browser,
            }
        self.tell(
            "stream_closed" if over else "stream_opened",
            user=handler.current_user.username,
            owner=getattr(handler, "shown_by", ""),
            session=session_id,
            address=handler.request.remote_ip,
            result="done",
            **more,
        )

    def guest_out(self, handler: Any, session_id: str) -> None:
        """The login has ended by which a guest was at another user's desktop."""
        self.tell(
            "guest_out",
            user=handler.current_user.username,
            owner=handler.shown_by,
            session=session_id,
            reason="login_over",
        )


class _PrivateFile(WatchedFileHandler):
    """Opened anew when logrotate has moved it; nobody else may read it, or put a link in its place.
    What cannot be written there goes to the service's log, and is nobody's error who asks for something."""

    def __init__(self, path: Path):
        super().__init__(path, encoding="ascii")
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # while it is opened anew
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        log.error(
            "portal_audit_file %s cannot be written (%s); its directory has to be the service's, with room "
            "on the disk. Not in it: %s",
            *(self.baseFilename, error, record.getMessage()),
        )

    def _open(self) -> TextIO:  # type: ignore[override]
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(self.baseFilename, flags, 0o600)
        os.fchmod(fd, 0o600)
        return os.fdopen(fd, "a", encoding="ascii")


def _session(handler: Any) -> str:
    """The one that was asked for, or that was made."""
    if handler.path_args:
        return str(handler.path_args[0])
    return str(handler._headers.get("Location", "")).rpartition("/")[2]


def _door(handler: Any) -> str:
    if getattr(handler, "token_authenticated", False):
        return "api"
    return str(handler.settings.get("moonlight_door", ""))
