"""data.json: users, hosts, roles; rewritten on every change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .schema import (
    Key,
    Wrong,
    anything,
    certificate,
    flag,
    hexed,
    maybe,
    numbered,
    one_of,
    private_key,
    struct,
    text,
    unsigned,
)

_u32 = unsigned(32)
_password = struct(
    {"salt": Key(hexed(16)), "hash": Key(hexed(32)), "iterations": Key(_u32, 150_000)}
)
_user = struct(
    {
        "role_id": Key(_u32),
        "name": Key(text),
        "password": Key(maybe(_password), None),
        "client_unique_id": Key(text),
    }
)
_pair_info = struct(
    {
        "client_private_key": Key(private_key),
        "client_certificate": Key(certificate),
        "server_certificate": Key(certificate),
    }
)
_host = struct(
    {
        "owner": Key(maybe(_u32), None),
        "address": Key(text),
        "http_port": Key(unsigned(16)),
        "pair_info": Key(maybe(_pair_info), None),
        "cache": Key(struct({"name": Key(text), "mac": Key(maybe(text), None)})),
    }
)
_permissions = struct(
    {
        "allow_add_hosts": Key(flag),
        "maximum_bitrate_kbps": Key(maybe(_u32), None),
        "allow_codec_h264": Key(flag),
        "allow_codec_h265": Key(flag),
        "allow_codec_av1": Key(flag),
        "allow_hdr": Key(flag),
        "allow_transport_webrtc": Key(flag),
        "allow_transport_websockets": Key(flag),
    }
)
_size = struct({"width": Key(_u32), "height": Key(_u32)})
_controller = struct(
    {
        "invertAB": Key(flag, False),
        "invertXY": Key(flag, False),
        "sendIntervalOverride": Key(maybe(_u32), None),
    }
)
# The client fills in what is missing; the real server takes any JSON here.
_settings = struct(
    {
        "sidebarEdge": Key(one_of("left", "right", "up", "down"), None),
        "bitrate": Key(_u32, None),
        "fps": Key(_u32, None),
        "videoFrameQueueSize": Key(_u32, None),
        "videoSize": Key(one_of("720p", "1080p", "1440p", "4k", "native", "custom"), None),
        "videoSizeCustom": Key(_size, None),
        "videoCodec": Key(one_of("h264", "h265", "av1", "auto"), None),
        "forceVideoElementRenderer": Key(flag, None),
        "canvasRenderer": Key(flag, None),
        "canvasVsync": Key(flag, None),
        "playAudioLocal": Key(flag, None),
        "audioSampleQueueSize": Key(_u32, None),
        "mouseScrollMode": Key(one_of("highres", "normal"), None),
        "mouseMode": Key(one_of("relative", "follow", "pointAndDrag"), None),
        "touchMode": Key(one_of("touch", "mouseRelative", "localCursor", "pointAndDrag"), None),
        "localCursorSensitivity": Key(anything, None),
        "controllerConfig": Key(_controller, None),
        "dataTransport": Key(one_of("auto", "webrtc", "websocket"), None),
        "language": Key(text, None),
        "enterFullscreenOnStreamStart": Key(flag, None),
        "toggleFullscreenWithKeybind": Key(flag, None),
        "pageStyle": Key(one_of("standard", "old", "moonlight"), None),
        "hdr": Key(flag, None),
        "useSelectElementPolyfill": Key(flag, None),
        "hideSidebarButton": Key(flag, None),
    }
)


def _role(value: Any, where: str) -> dict[str, Any]:
    keys = {
        "name": Key(text),
        "ty": Key(one_of("User", "Admin")),
        "default_settings": Key(anything),
        "permissions": Key(_permissions),
    }
    found: dict[str, Any] = struct(keys)(value, where)
    if found["default_settings"] is not None:
        _settings(found["default_settings"], f"{where}.default_settings")
    return found


class Data:
    """The stored users, hosts and roles; a missing file is an empty one.

    Raises
    ------
    Wrong
    """

    def __init__(self, path: Path, major: int):
        self._path = path
        keys = {
            "version": Key(one_of("3")),
            "users": Key(numbered(_user)),
            "hosts": Key(numbered(_host)),
            "roles": Key(numbered(_role)),
        }
        if major == 3:
            keys["default_role_id"] = Key(maybe(_u32), None)
            keys["default_user_id"] = Key(maybe(_u32), None)
        try:
            given = json.loads(path.read_text())
        except FileNotFoundError:
            given = {"version": "3", "users": {}, "hosts": {}, "roles": {}}
        except ValueError as e:
            raise Wrong(f"{path}: Failed to deserialize data as json: {e}") from e
        self.tree: dict[str, Any] = struct(keys)(given, "")
        self._consistent()

    @property
    def users(self) -> dict[int, dict[str, Any]]:
        users: dict[int, dict[str, Any]] = self.tree["users"]
        return users

    @property
    def hosts(self) -> dict[int, dict[str, Any]]:
        hosts: dict[int, dict[str, Any]] = self.tree["hosts"]
        return hosts

    def role_of(self, user: dict[str, Any]) -> dict[str, Any]:
        role: dict[str, Any] = self.tree["roles"][user["role_id"]]
        return role

    def store(self) -> None:
        """The mode of a file that is there stays; a new one follows the umask, as with Rust."""
        tree = {k: v for k, v in self.tree.items() if v is not None}
        for name in ("users", "hosts", "roles"):
            tree[name] = {str(k): v for k, v in tree[name].items()}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "w") as file:
            json.dump(tree, file, indent=2)
            file.flush()
            os.fsync(file.fileno())

    def _consistent(self) -> None:
        for number, user in self.users.items():
            if user["role_id"] not in self.tree["roles"]:
                raise Wrong(f"users.{number}.role_id: role {user['role_id']} not found")
        for number, host in self.hosts.items():
            if host["owner"] is not None and host["owner"] not in self.users:
                raise Wrong(f"hosts.{number}.owner: user {host['owner']} not found")
            pair = host["pair_info"]
            if pair and not _belong(pair["client_private_key"], pair["client_certificate"]):
                raise Wrong(f"hosts.{number}.pair_info: the key is not the certificate's")


def _belong(key: str, cert: str) -> bool:
    private = serialization.load_pem_private_key(key.encode(), None)
    public = x509.load_pem_x509_certificate(cert.encode()).public_key()
    form = (
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo,
    )
    return private.public_key().public_bytes(*form) == public.public_bytes(*form)
