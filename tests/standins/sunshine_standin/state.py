"""State and credentials files (sunshine_state.*.json, combined_*.json, preseed-variants.txt)."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import string
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from .log import Log


def password_hash(password: str, salt: str) -> str:
    """offline-credentials.txt: SHA-256, byte-reversed, in upper-case hex."""
    return hashlib.sha256((password + salt).encode()).digest()[::-1].hex().upper()


def new_uuid() -> str:
    return str(uuid.uuid4()).upper()


def der(pem: str) -> bytes | None:
    """The certificate itself, so that line ends do not matter; None if it is none."""
    try:
        return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    except ValueError:
        return None


@dataclass
class Device:
    name: str
    cert: str
    uuid: str
    enabled: bool = True


def write_tree(path: Path, tree: dict[str, Any]) -> None:
    """As boost's property tree writes JSON: four spaces, ``\\/``, every value a string."""
    path.write_text(json.dumps(_strings(tree), indent=4).replace("/", "\\/") + "\n")


def _strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _strings(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_strings(v) for v in value] if value else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def read_tree(path: Path) -> dict[str, Any]:
    tree = json.loads(path.read_text())
    if not isinstance(tree, dict):
        raise ValueError(f"{path}: not an object")
    return tree


class State:
    """The id of this host and the clients that are paired with it."""

    def __init__(self, path: Path, log: Log):
        self._path, self._log = path, log
        self.lock = threading.RLock()
        self.unique_id = ""
        self.devices: list[Device] = []
        self._accepted: set[bytes] = set()

    def load(self) -> None:
        """Read at start (and after unpair). A device without uuid aborts the process."""
        if not self._path.exists():
            self._log.info(f"File {self._path} doesn't exist")
            self.unique_id = new_uuid()
            return
        try:
            tree = read_tree(self._path)
        except (OSError, ValueError) as e:
            self._log.error(f"Couldn't read {self._path}: {e}")
            return
        root = tree.get("root")
        if not isinstance(root, dict) or "uniqueid" not in root:
            # preseed-variants.txt nouniqueid: the clients in the file are ignored too.
            self.unique_id = new_uuid()
            return
        self.unique_id = str(root["uniqueid"])
        devices = []
        for old in root.get("devices") or []:
            for cert in old.get("certs") or []:
                devices.append(Device("", str(cert), new_uuid()))
        for entry in root.get("named_devices") or []:
            for key in ("name", "cert", "uuid"):
                if key not in entry:
                    self._abort(key)
            enabled = str(entry.get("enabled", "true")).lower() in {"true", "1"}
            devices.append(Device(entry["name"], entry["cert"], str(entry["uuid"]), enabled))
        self.devices = devices
        self._accepted = {d for d in (der(x.cert) for x in devices) if d}

    def save(self) -> None:
        """Everything beside ``root`` stays: one file may hold the credentials as well."""
        tree = read_tree(self._path) if self._path.exists() else {}
        tree.pop("root", None)
        named = [
            {"name": d.name, "cert": d.cert, "uuid": d.uuid, "enabled": d.enabled}
            for d in self.devices
        ]
        tree["root"] = {"uniqueid": self.unique_id, "named_devices": named}
        try:
            write_tree(self._path, tree)
        except OSError as e:
            self._log.error(f"Couldn't write {self._path}: {e}")

    def add(self, name: str, cert: str) -> None:
        with self.lock:
            self.devices.append(Device(name, cert, new_uuid()))
            self._accepted.add(der(cert) or b"")
            self.save()

    def remove(self, wanted: str) -> bool:
        with self.lock:
            left = [d for d in self.devices if d.uuid != wanted]
            removed = len(left) != len(self.devices)
            self.devices = left
            self.save()
            self.load()
            return removed

    def clear(self) -> None:
        with self.lock:
            self.devices, self._accepted = [], set()
            self.save()

    def enable(self, wanted: str, enabled: bool) -> Device | None:
        with self.lock:
            for device in self.devices:
                if device.uuid == wanted:
                    device.enabled = enabled
                    self.save()
                    return device
        return None

    def admits(self, cert: bytes) -> bool:
        """Whether a client with this certificate (DER) may use the HTTPS port."""
        with self.lock:
            if cert not in self._accepted:
                self._log.warning("SSL Verification error :: self-signed certificate")
                return False
            if any(not d.enabled for d in self.devices if der(d.cert) == cert):
                self._log.info("Client is disabled -- denied")
                return False
            return True

    def listed(self) -> list[dict[str, Any]]:
        with self.lock:
            return [{"enabled": d.enabled, "name": d.name, "uuid": d.uuid} for d in self.devices]

    def _abort(self, key: str) -> None:
        """preseed-variants.txt nouuid: an exception that nobody catches, -6."""
        sys.stderr.write(
            "terminate called after throwing an instance of "
            "'boost::wrapexcept<boost::property_tree::ptree_bad_path>'\n"
            f"  what():  No such node ({key})\n"
        )
        sys.stderr.flush()
        os.abort()


class Credentials:
    """Who may use the REST API (offline-credentials.txt, pin-authuser-case.txt)."""

    def __init__(self, path: Path, log: Log):
        self._path, self._log = path, log
        self.username = self._password = self._salt = ""

    def load(self) -> None:
        try:
            tree = read_tree(self._path)
            self.username, self._password, self._salt = (
                str(tree[k]) for k in ("username", "password", "salt")
            )
        except (OSError, ValueError, KeyError):
            self._log.info(
                "Open the Web UI to set your new username and password and getting started"
            )

    def accepts(self, username: str, password: str) -> bool:
        same = username.lower() == self.username.lower()
        return same and password_hash(password, self._salt) == self._password

    def save(self, username: str, password: str) -> None:
        """``--creds`` and /api/password; a new file gets mode 0644."""
        tree = read_tree(self._path) if self._path.exists() else {}
        salt = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))
        tree.update(username=username, salt=salt, password=password_hash(password, salt))
        write_tree(self._path, tree)
        self._log.info("New credentials have been created")
