"""Sunshine's files for one session: configuration, credentials, state, key and applications.

All facts are measured on Sunshine v2026.817. They are written before the start, because Sunshine
without credentials takes a password from anyone who reaches it, and reads its state only once.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from ....model.files import read_shared, write_private, write_private_once
from ....model.session import Model
from ...desktop.manifest import Application
from ...node.certificate import self_signed

USER = "moonlight"
DESKTOP_APP_ID = 958645192  # of an app that is called "Desktop" and has no image
# Offsets of the TCP sockets that it listens on from its start.
TCP_OFFSETS = {"https": -5, "http": 0, "api": 1, "rtsp": 21}


class Client(Model):
    """A paired client: what Sunshine keeps of it, and we for later sessions."""

    name: str
    cert: str
    uuid: str
    enabled: bool = True


class KeyPair(Model):
    """An RSA key and its certificate, PEM. Pairing fails with an EC key."""

    key: str
    certificate: str


class Identity(Model):
    """By what a native client knows a host again: it keeps the certificate and the id."""

    keys: KeyPair
    uniqueid: str


@dataclass(frozen=True)
class Paths:
    """Where the files are, all in one directory of mode 0700."""

    directory: Path

    @property
    def conf(self) -> Path:
        return self.directory / "sunshine.conf"

    @property
    def state(self) -> Path:
        return self.directory / "state.json"

    @property
    def credentials(self) -> Path:
        return self.directory / "credentials.json"

    @property
    def apps(self) -> Path:
        return self.directory / "apps.json"

    @property
    def key(self) -> Path:
        return self.directory / "key.pem"

    @property
    def certificate(self) -> Path:
        return self.directory / "cert.pem"

    @property
    def log(self) -> Path:
        return self.directory / "sunshine.log"


def make_key_pair(name: str) -> KeyPair:
    """A self-signed RSA-2048 pair, as GameStream's pairing wants it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    secret, certificate = self_signed(key, name, days=3650)
    return KeyPair(key=secret, certificate=certificate)


def user_identity(memory: Path) -> Identity:
    """The identity of this user's Sunshine, the same in all sessions; made at the first one."""
    for _ in range(2):
        data = read_shared(memory)
        if data is not None:
            return Identity.model_validate_json(data)
        made = Identity(keys=make_key_pair("Sunshine"), uniqueid=str(uuid.uuid4()).upper())
        write_private_once(memory, made.model_dump_json())
    return made


def credentials(user: str, password: str) -> dict[str, str]:
    """The content of the credentials file.

    The hash is SHA-256 of password and salt, its bytes reversed, as upper-case hex (measured: any
    other order or case is refused).
    """
    salt = secrets.token_hex(8)
    digest = hashlib.sha256((password + salt).encode()).digest()
    return {"username": user, "salt": salt, "password": digest[::-1].hex().upper()}


def state(uniqueid: str, clients: list[Client]) -> dict[str, Any]:
    """State with a fixed id and clients that are paired already. A device without uuid aborts it."""
    devices = [
        {
            "name": c.name,
            "cert": c.cert,
            "uuid": c.uuid,
            "enabled": "true" if c.enabled else "false",
        }
        for c in clients
    ]
    return {"root": {"uniqueid": uniqueid, "named_devices": devices}}


def new_client(name: str, certificate: str) -> Client:
    return Client(name=name, cert=certificate, uuid=str(uuid.uuid4()).upper())


def applications(more: Application | None) -> dict[str, Any]:
    """Our own list: the stock one has Steam entries. An app without a command is the desktop."""
    apps: list[dict[str, Any]] = [{"name": "Desktop"}]
    if more:
        # Sunshine knows double quotes only, and reads $( ) as a variable ($$ is a dollar).
        words = [f'"{word}"'.replace("$", "$$") for word in more.command]
        apps.append({"name": more.name, "cmd": " ".join(words)})
    return {"env": {}, "apps": apps}


def configuration(paths: Paths, options: dict[str, str]) -> str:
    """``sunshine.conf``. Every path is set: what is missing falls back to files in the home."""
    settings = {
        **options,
        "address_family": "ipv4",
        "capture": "x11",
        "file_state": str(paths.state),
        "credentials_file": str(paths.credentials),
        "file_apps": str(paths.apps),
        "log_path": str(paths.log),
        "pkey": str(paths.key),
        "cert": str(paths.certificate),
        "system_tray": "disabled",
        "upnp": "disabled",
        "min_log_level": "info",
    }
    return "".join(f"{key} = {value}\n" for key, value in settings.items())


def write(
    paths: Paths,
    identity: Identity,
    password: str,
    clients: list[Client],
    options: dict[str, str],
    apps: dict[str, Any],
) -> None:
    """Write all of them, mode 0600."""
    write_private(paths.key, identity.keys.key)
    write_private(paths.certificate, identity.keys.certificate)
    write_private(paths.credentials, json.dumps(credentials(USER, password)))
    write_private(paths.state, json.dumps(state(identity.uniqueid, clients)))
    write_private(paths.apps, json.dumps(apps))
    write_private(paths.conf, configuration(paths, options))


def devices(paths: Paths) -> list[Client]:
    """The clients that Sunshine's state file has now, certificates included."""
    try:
        data = json.loads(paths.state.read_text("utf-8"))
        found = data["root"].get("named_devices") or []
        return [
            Client(
                name=str(d.get("name", "")),
                cert=str(d["cert"]),
                uuid=str(d["uuid"]),
                enabled=str(d.get("enabled", "true")).lower() == "true",
            )
            for d in found
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
