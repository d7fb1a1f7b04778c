"""config.json: comments, keys, types, and the environment that overrides it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from .schema import (
    Key,
    Wrong,
    duration,
    flag,
    many,
    maybe,
    one_of,
    socket_address,
    struct,
    text,
    unsigned,
)

_u16 = unsigned(16)
_STUN = ["stun:stun.l.google.com:19302", "stun:stun1.l.google.com:3478"]
_LEVELS = ["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"]
_HOURS_24 = {"secs": 86400, "nanos": 0}

_ice = struct({"urls": Key(many(text)), "username": Key(text, ""), "credential": Key(text, "")})
_webrtc = struct(
    {
        "ice_servers": Key(many(_ice), [{"urls": _STUN, "username": "", "credential": ""}]),
        "ice_server_script": Key(maybe(text), None),
        "port_range": Key(maybe(struct({"min": Key(_u16), "max": Key(_u16)})), None),
        "nat_1to1": Key(
            maybe(
                struct(
                    {
                        "ips": Key(many(text)),
                        "ice_candidate_type": Key(one_of("srflx", "host")),
                    }
                )
            ),
            None,
        ),
        "network_types": Key(many(one_of("udp4", "udp6", "tcp4", "tcp6")), ["udp4", "udp6"]),
        "include_loopback_candidates": Key(flag, True),
    }
)
# Both versions demand the interval once `data_storage` is there, and `level_filter` in `log`.
_storage = struct(
    {
        "type": Key(one_of("json")),
        "path": Key(text),
        "session_expiration_check_interval": Key(duration),
    }
)
_log = struct(
    {
        "level_filter": Key(one_of(*_LEVELS, any_case=True)),
        "file_path": Key(maybe(text), None),
        "dev_venator": Key(flag, False),
    }
)
_moonlight = struct({"default_http_port": Key(_u16, 47989), "pair_device_name": Key(text, "roth")})
_tls = struct({"private_key_pem": Key(text), "certificate_pem": Key(text)})


def _web_server(major: int) -> dict[str, Key]:
    forwarded = {
        "username_header": Key(text),
        "auto_create_missing_user": Key(flag, True),
    }
    keys = {
        "bind_address": Key(socket_address, ("0.0.0.0", 8080)),
        "certificate": Key(maybe(_tls), None),
        "url_path_prefix": Key(text, ""),
        "session_cookie_secure": Key(flag, False),
        "session_cookie_expiration": Key(duration, _HOURS_24),
        "first_login_create_admin": Key(flag),
        "first_login_assign_global_hosts": Key(flag),
    }
    if major == 2:
        keys["default_user_id"] = Key(maybe(unsigned(32)), None)
        keys["default_role_id"] = Key(maybe(unsigned(32)), None)
    else:
        forwarded["ignore_case"] = Key(flag, False)
    keys["forwarded_header"] = Key(maybe(struct(forwarded)), None)
    return keys


def load(path: Path, major: int, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """The configuration with all defaults; a missing file is nothing but defaults.

    Raises
    ------
    Wrong
    """
    first = {"first_login_create_admin": True, "first_login_assign_global_hosts": True}
    keys = {
        "data_storage": Key(_storage),
        "webrtc": Key(_webrtc),
        "web_server": Key(struct(_web_server(major))),
        "moonlight": Key(_moonlight),
        "log": Key(_log),
    }
    if major == 2:
        keys["streamer_path"] = Key(text)
        keys["default_settings"] = Key(lambda value, _: value)
    defaults: dict[str, Any] = {
        "data_storage": {
            "type": "json",
            "path": "server/data.json",
            "session_expiration_check_interval": {"secs": 300, "nanos": 0},
        },
        "webrtc": {},
        "web_server": first,
        "moonlight": {},
        "log": {"level_filter": "INFO"},
        "streamer_path": "./streamer",
        "default_settings": None,
    }
    try:
        given = json.loads(without_comments(path.read_text()))
    except FileNotFoundError:
        given = {}
    except ValueError as e:
        raise Wrong(f"{path}: {e}") from e
    if not isinstance(given, dict):
        raise Wrong(f"{path}: invalid type, expected struct Config")
    full = {k: v for k, v in defaults.items() if k in keys} | given
    config: dict[str, Any] = struct(keys)(full, "")
    _override(config, os.environ if environment is None else environment)
    prefix = config["web_server"]["url_path_prefix"]
    if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
        raise Wrong(f"web_server.url_path_prefix: {prefix!r}: starts with / and ends without")
    return config


def _override(config: dict[str, Any], environment: Any) -> None:
    server = config["web_server"]
    if "BIND_ADDRESS" in environment:
        server["bind_address"] = socket_address(environment["BIND_ADDRESS"], "BIND_ADDRESS")
    if "PATH_PREFIX" in environment:
        server["url_path_prefix"] = environment["PATH_PREFIX"]
    if "FORWARDED_HEADER" in environment:
        forwarded = server["forwarded_header"] or {"auto_create_missing_user": True}
        server["forwarded_header"] = {
            **forwarded,
            "username_header": environment["FORWARDED_HEADER"],
        }
    if "STREAMER_PATH" in environment and "streamer_path" in config:
        config["streamer_path"] = environment["STREAMER_PATH"]
    servers = config["webrtc"]["ice_servers"]
    if environment.get("DISABLE_DEFAULT_WEBRTC_ICE_SERVERS", "false") == "true":
        servers = [s for s in servers if s["urls"] != _STUN]
    for at in range(50):
        url = environment.get(f"WEBRTC_ICE_SERVER_{at}_URL")
        if url is not None:
            user = environment.get(f"WEBRTC_ICE_SERVER_{at}_USERNAME", "")
            secret = environment.get(f"WEBRTC_ICE_SERVER_{at}_CREDENTIAL", "")
            servers = [*servers, {"urls": [url], "username": user, "credential": secret}]
    config["webrtc"]["ice_servers"] = servers


def without_comments(content: str) -> str:
    """JSON with ``//`` and ``/* */`` comments and trailing commas."""
    strings = r'"(?:\\.|[^"\\])*"'
    plain = re.sub(
        rf"({strings})|//[^\n]*|/\*.*?\*/", lambda m: m[1] or " ", content, flags=re.DOTALL
    )
    return re.sub(rf"({strings})|,(?=\s*[}}\]])", lambda m: m[1] or "", plain)
