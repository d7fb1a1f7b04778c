"""Native Moonlight clients: pairing by PIN, the list, removal, and memory across sessions.

A paired client is known to the user's later sessions: its certificate is kept beside the user's
sessions and written into each new state file.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ....model.files import read_shared, write_private
from . import files
from .api import ApiError, SunshineApi

log = logging.getLogger(__name__)

_PIN = re.compile(r"[0-9]{4}", re.ASCII)
_NAME = re.compile(r"[\w .()-]{1,40}")
# The client answers within 50 ms of a right PIN; a wrong one never shows.
_PROOF_SECONDS = 5.0
_CLIENTS = TypeAdapter(list[files.Client])

BROWSER = "browser"


class NativeClients:
    """The paired clients of one user, as this session's Sunshine has them."""

    def __init__(self, memory: Path, paths: files.Paths, api: SunshineApi, where: dict[str, Any]):
        self._memory = memory
        self._paths = paths
        self._api = api
        self._where = where
        self._pairing = asyncio.Lock()

    async def control(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """``GET /native``, ``POST /native/pin``, ``DELETE /native/clients/<uuid>``."""
        try:
            if method == "GET" and path == "/native":
                return 200, {**self._where, "clients": await self._clients()}
            if method == "POST" and path == "/native/pin":
                return await self._pair(body)
            if method == "DELETE" and path.startswith("/native/clients/"):
                return await self._remove(path.rsplit("/", 1)[1])
        except ApiError as e:
            return 502, {"message": f"{e}. Try again in a moment.", "code": "host_away"}
        return 404, {"message": f"There is nothing at {path}.", "code": "not_found"}

    async def _clients(self) -> list[dict[str, Any]]:
        return [
            {"uuid": c["uuid"], "name": c["name"], "enabled": c.get("enabled", True)}
            for c in await self._api.clients()
            if c["name"] != BROWSER
        ]

    async def _pair(self, body: Any) -> tuple[int, Any]:
        pin = body.get("pin") if isinstance(body, dict) else None
        name = (body.get("name") or "Moonlight") if isinstance(body, dict) else None
        if not isinstance(pin, str) or not _PIN.fullmatch(pin):
            return 400, _wrong("pin", "pin must be the four digits that your client shows.")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name == BROWSER:
            return 400, _wrong("name", "name must be 1 to 40 letters, digits or spaces.")
        # Two clients that wait at once both fail: one PIN at a time.
        async with self._pairing:
            before = {c["uuid"] for c in await self._api.clients()}
            if not await self._api.pin(pin, name):
                return 409, {
                    "message": "No client is waiting for a PIN. Choose this desktop in your "
                    "Moonlight client first, then type here what it shows.",
                    "code": "no_client_waits",
                }
            for _ in range(int(_PROOF_SECONDS / 0.1)):
                new = [c for c in await self._api.clients() if c["uuid"] not in before]
                if new:
                    await self._remember_when_written(new[0]["uuid"])
                    return 200, {"uuid": new[0]["uuid"], "name": new[0]["name"]}
                await asyncio.sleep(0.1)
        return 422, _wrong("pin", "The client did not accept the PIN. Pair again and retype it.")

    async def _remove(self, uuid: str) -> tuple[int, Any]:
        known = {c["uuid"] for c in await self._clients()}
        if uuid not in known:
            return 404, {"message": "There is no such paired client.", "code": "not_found"}
        await self._api.disable(uuid)  # unpairing alone would let its stream go on
        await self._api.unpair(uuid)
        self._write([c for c in remembered(self._memory) if c.uuid != uuid])
        return 200, {"uuid": uuid}

    async def _remember_when_written(self, uuid: str) -> None:
        """Sunshine lists a client a moment before it writes its state file."""
        for _ in range(50):
            if self._remember(uuid):
                return
            await asyncio.sleep(0.1)
        log.error("client %s is paired, but not in Sunshine's state file", uuid)

    def _remember(self, uuid: str) -> bool:
        """Keep a client of this Sunshine's state file for later sessions, if it is there yet.

        Only this one: others in the file may have been removed in another session since.
        """
        new = [client for client in files.devices(self._paths) if client.uuid == uuid]
        self._write([c for c in remembered(self._memory) if c.uuid != uuid] + new)
        return bool(new)

    def _write(self, clients: list[files.Client]) -> None:
        try:
            write_private(self._memory, json.dumps([c.model_dump() for c in clients]))
        except OSError as e:
            log.error("paired clients cannot be kept for later sessions: %s", e)


def remembered(memory: Path) -> list[files.Client]:
    """Clients that were paired in earlier sessions."""
    try:
        return _CLIENTS.validate_json(read_shared(memory) or b"[]")
    except ValidationError as e:
        log.error("%s cannot be read: %s", memory, e)
        return []


def _wrong(field: str, message: str) -> dict[str, Any]:
    fields = [{"field": field, "value": None, "message": message}]
    return {"message": message, "code": "invalid_request", "fields": fields}
