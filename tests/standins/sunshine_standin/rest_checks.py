"""What every request to the REST API has to pass, and the answers when it does not."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from .config import Config
from .gamestream import distance
from .log import Log
from .rest_json import parse
from .state import Credentials
from .web import Answer, Request

FRAME = {"Content-Security-Policy": "frame-ancestors 'none';", "X-Frame-Options": "DENY"}
_REALM = 'Basic realm="Sunshine Gamestream Host", charset="UTF-8"'
_NEAR = ["pc", "lan", "wan"]


def json_answer(tree: dict[str, Any], status: int = 200, **extra: str) -> Answer:
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Answer(text, status, {**FRAME, **extra, "Content-Type": "application/json"})


class Refused(Exception):
    """Carries the answer that ends a request early."""

    def __init__(self, answer: Answer):
        self.answer = answer


def bad_request(error: str) -> Answer:
    return json_answer({"status_code": 400, "status": False, "error": error}, 400)


class Checks:
    """Where from (bind-address.txt), who (api-*auth.txt), CSRF (pin-foreign-origin*.txt)."""

    def __init__(self, config: Config, log: Log, credentials: Credentials):
        self._config, self._log, self._credentials = config, log, credentials
        self._tokens: dict[str, str] = {}
        allowed = config.text("origin_web_ui_allowed", "lan")
        self._limit = _NEAR.index(allowed if allowed in _NEAR else "lan")

    def _authenticated(self, request: Request) -> None:
        if _NEAR.index(distance(request.remote)) > self._limit:
            self._log.info(f"Web UI: [{request.remote}] -- denied")
            raise Refused(Answer(status=403))
        if not self._credentials.username:
            raise Refused(Answer(status=307, headers={"Location": "/welcome", **FRAME}))
        try:
            given = base64.b64decode(request.headers.get("authorization", "")[6:]).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        user, sign, password = given.partition(":")
        if not sign or not password or not self._credentials.accepts(user, password):
            self._log.info(f"Web UI: [{request.remote}] -- not authorized")
            tree = {"status_code": 401, "status": False, "error": "Unauthorized"}
            raise Refused(json_answer(tree, 401, **{"WWW-Authenticate": _REALM}))

    def _not_forged(self, request: Request) -> None:
        """Only when Origin or Referer is sent (pin-foreign-origin*.txt)."""
        sources = [request.headers[h] for h in ("origin", "referer") if h in request.headers]
        if not sources:
            return
        for source in sources:
            for allowed in self._config.origins:
                if source.startswith(allowed) and source[len(allowed) :][:1] in {"", ":", "/"}:
                    return
        token = request.headers.get("x-csrf-token", request.query.get("csrf_token"))
        if token is None:
            origin = f"CSRF protection blocked request from origin: {sources[0]}"
            self._log.error(f"Web UI: [{request.remote}] -- {origin}")
            raise Refused(bad_request("Missing CSRF token"))
        if self._tokens.get(self._client(request)) != token:
            raise Refused(bad_request("Invalid CSRF token"))

    def _client(self, request: Request) -> str:
        try:
            given = base64.b64decode(request.headers.get("authorization", "")[6:]).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        return given.partition(":")[0] or request.remote

    def _is_json(self, request: Request) -> None:
        kind = request.headers.get("content-type")
        if kind is None:
            raise Refused(bad_request("Content type not provided"))
        if kind.partition(";")[0].strip().lower() != "application/json":
            raise Refused(bad_request("Content type mismatch"))

    def _checked(self, request: Request, body: bool = True) -> Any:
        """For requests that change something; gives the parsed body."""
        if body:
            self._is_json(request)
        self._authenticated(request)
        self._not_forged(request)
        return parse(request.body) if body else None
