"""The REST API on base+1 (api-*.txt, pin-*.txt, bind-address.txt)."""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Callable
from typing import Any

from .apps import Apps
from .config import Config, parse_text
from .log import Log
from .pairing import Pairing
from .rest_checks import FRAME, Checks, Refused, bad_request, json_answer
from .rest_json import BadJson, parse, stoi, value
from .state import Credentials, State, der
from .streams import Streams
from .web import Answer, Request

_ALPHABET = string.ascii_letters + string.digits + "!%&()="
_HID = {"version": "", "version_compatible": False, "installed": False}
_INPUT = {
    "vigembus": {
        **_HID,
        "error": "ViGEmBus is only available on Windows",
        "minimum_version": "1.17.0.0",
        "supported_versions": ">= 1.17.0.0",
    },
    "virtualhid": {
        **_HID,
        "backend_name": "",
        "error": "libvirtualhid driver status is only available on Windows",
        "minimum_version": "",
        "requires_installed_driver": False,
        "supported_versions": "Any",
    },
}


class Rest(Checks):
    """Routes, and what all of them check first, in the order of the real one."""

    def __init__(
        self,
        config: Config,
        log: Log,
        state: State,
        credentials: Credentials,
        pairing: Pairing,
        apps: Apps,
        streams: Streams,
        restart: Callable[[], None],
        version: str,
    ):
        super().__init__(config, log, credentials)
        self._state, self._pairing, self._version = state, pairing, version
        self._apps, self._streams, self._restart = apps, streams, restart

    def handle(self, request: Request) -> Answer:
        routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("GET", "/api/configLocale"): self._locale,
            ("GET", "/api/apps"): self._get_apps,
            ("POST", "/api/apps"): self._save_app,
            ("POST", "/api/apps/close"): self._close,
            ("GET", "/api/clients/list"): self._clients,
            ("POST", "/api/clients/unpair"): self._unpair,
            ("POST", "/api/clients/unpair-all"): self._unpair_all,
            ("POST", "/api/clients/update"): self._update,
            ("GET", "/api/config"): self._get_config,
            ("POST", "/api/config"): self._save_config,
            ("GET", "/api/csrf-token"): self._token,
            ("POST", "/api/password"): self._password,
            ("POST", "/api/pin"): self._pin,
            ("GET", "/api/logs"): self._logs,
            ("POST", "/api/restart"): self._restarted,
            ("POST", "/api/reset-display-device-persistence"): self._reset,
            ("GET", "/api/virtual-input/status"): self._input,
        }
        route = routes.get((request.method, request.path))
        if request.method == "DELETE" and re.fullmatch(r"/api/apps/\d+", request.path):
            route = self._delete_app
        if request.method == "GET" and request.path in {"/", "/pin", "/apps", "/welcome"}:
            route = self._page
        if route is None and request.method == "GET":
            return json_answer({"status_code": 404, "error": "Not Found"}, 404)
        if route is None:
            return bad_request("Bad Request")
        try:
            return route(request)
        except Refused as e:
            return e.answer
        except (BadJson, OSError, ValueError) as e:
            return bad_request(str(e))

    def _locale(self, request: Request) -> Answer:
        return json_answer({"status": True, "locale": self._config.text("locale", "en")})

    def _page(self, request: Request) -> Answer:
        if request.path != "/welcome":
            self._authenticated(request)
        kind = {"Content-Type": "text/html; charset=utf-8"}
        return Answer("<!DOCTYPE html><title>Sunshine</title>", headers={**FRAME, **kind})

    def _get_apps(self, request: Request) -> Answer:
        self._authenticated(request)
        return json_answer(parse(self._config.paths["file_apps"].read_bytes()))

    def _save_app(self, request: Request) -> Answer:
        entry = self._checked(request)
        path = self._config.paths["file_apps"]
        tree = parse(path.read_bytes())
        for key in ("prep-cmd", "detached"):
            if not entry.get(key):
                entry.pop(key, None)
        index = entry.pop("index", None)
        if not isinstance(index, int):
            kind = "null" if index is None else "string"
            raise BadJson(302, f"type must be number, but is {kind}")
        if index == -1:
            tree["apps"].append(entry)
        elif 0 <= index < len(tree["apps"]):
            tree["apps"][index] = entry
        tree["apps"].sort(key=lambda app: app["name"])
        return self._write_apps(tree, {"status": True})

    def _delete_app(self, request: Request) -> Answer:
        self._checked(request, body=False)
        tree = parse(self._config.paths["file_apps"].read_bytes())
        index, last = int(request.path.rsplit("/", 1)[1]), len(tree["apps"]) - 1
        if last < 0:
            return bad_request("No applications found")
        if index > last:
            return bad_request(f"'index' {index} out of range, max index is {last}")
        del tree["apps"][index]
        return self._write_apps(tree, {"status": True, "result": f"application {index} deleted"})

    def _write_apps(self, tree: dict[str, Any], answer: dict[str, Any]) -> Answer:
        text = json.dumps(tree, indent=4, sort_keys=True, ensure_ascii=False)
        self._config.paths["file_apps"].write_text(text)
        self._apps.load()
        return json_answer(answer)

    def _close(self, request: Request) -> Answer:
        self._checked(request, body=False)
        self._apps.terminate()
        self._streams.end_all()
        return json_answer({"status": True})

    def _clients(self, request: Request) -> Answer:
        self._authenticated(request)
        return json_answer({"named_certs": self._state.listed(), "status": True})

    def _unpair(self, request: Request) -> Answer:
        """A stream that runs goes on (stream-lifecycle.txt)."""
        removed = self._state.remove(value(self._checked(request), "uuid", ""))
        if removed and not self._state.devices:
            self._apps.terminate()
        return json_answer({"status": removed})

    def _unpair_all(self, request: Request) -> Answer:
        self._checked(request, body=False)
        self._state.clear()
        self._apps.terminate()
        self._streams.end_all()
        return json_answer({"status": True})

    def _update(self, request: Request) -> Answer:
        tree = self._checked(request)
        enabled = value(tree, "enabled", True)
        device = self._state.enable(value(tree, "uuid", ""), enabled)
        if device is not None and not enabled:
            self._streams.end_of(der(device.cert) or b"")
            if not self._streams.count and self._apps.running():
                self._apps.terminate()
        return json_answer({"status": device is not None})

    def _get_config(self, request: Request) -> Answer:
        self._authenticated(request)
        tree = {"status": True, "platform": "linux", "version": self._version}
        return json_answer({**tree, **parse_text(self._config.file.read_text())})

    def _save_config(self, request: Request) -> Answer:
        tree = self._checked(request)
        lines = [
            f"{k} = {v if isinstance(v, str) else json.dumps(v)}\n"
            for k, v in tree.items()
            if v not in (None, "")
        ]
        self._config.file.write_text("".join(lines))
        return json_answer({"status": True})

    def _token(self, request: Request) -> Answer:
        self._authenticated(request)
        token = "".join(secrets.choice(_ALPHABET) for _ in range(32))
        self._tokens[self._client(request)] = token
        return json_answer({"csrf_token": token})

    def _password(self, request: Request) -> Answer:
        self._is_json(request)
        if self._credentials.username:
            self._authenticated(request)
        self._not_forged(request)
        tree = parse(request.body)
        old = value(tree, "currentUsername", "")
        new = value(tree, "newUsername", "") or old
        wanted = value(tree, "newPassword", "")
        if not new:
            return bad_request("Invalid Username")
        current = value(tree, "currentPassword", "")
        if self._credentials.username and not self._credentials.accepts(old, current):
            return bad_request("Invalid Current Credentials")
        if not wanted or wanted != value(tree, "confirmNewPassword", ""):
            return bad_request("Password Mismatch")
        self._credentials.save(new, wanted)
        self._credentials.load()
        return json_answer({"status": True})

    def _pin(self, request: Request) -> Answer:
        tree = self._checked(request)
        name, pin = value(tree, "name", ""), value(tree, "pin", "")
        if not 0 <= stoi(pin) <= 9999:
            return bad_request("PIN must be between 0000 and 9999")
        return json_answer({"status": self._pairing.pin(pin, name)})

    def _logs(self, request: Request) -> Answer:
        self._authenticated(request)
        text = self._config.paths["log_path"].read_bytes()
        return Answer(text, headers={**FRAME, "Content-Type": "text/plain"})

    def _restarted(self, request: Request) -> Answer:
        self._checked(request, body=False)
        self._restart()
        return json_answer({"status": True})

    def _reset(self, request: Request) -> Answer:
        self._checked(request, body=False)
        return json_answer({"status": True})

    def _input(self, request: Request) -> Answer:
        self._authenticated(request)
        return json_answer(_INPUT)
