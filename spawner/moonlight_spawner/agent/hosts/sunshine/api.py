"""Sunshine's REST interface, on the node, with our credentials and its own certificate pinned."""

from __future__ import annotations

import base64
import json
from typing import Any

from ....model.texts import json_of
from ....relay.upstream import Target, UpstreamError, call

_SECONDS = 10.0


class ApiError(Exception):
    """It did not answer, or not with what was asked for."""


class SunshineApi:
    """Calls of one Sunshine. Sends neither Origin nor Referer, so its CSRF check stays out."""

    def __init__(self, address: str, port: int, certificate: str, user: str, password: str):
        login = base64.b64encode(f"{user}:{password}".encode())
        self._target = Target(addresses=(address,), port=port, certificate=certificate)
        self._headers = [(b"authorization", b"Basic " + login)]

    async def clients(self) -> list[dict[str, Any]]:
        """Paired clients: name, uuid, enabled.

        Raises
        ------
        ApiError
        """
        answer = await self._call("GET", "/api/clients/list")
        return list(answer.get("named_certs") or [])

    async def pin(self, pin: str, name: str) -> bool:
        """Hand a PIN to the client that waits for it; False if none waits.

        True says nothing about the PIN: a wrong one is answered the same. The client list proves
        a pairing.
        """
        answer = await self._call("POST", "/api/pin", {"pin": pin, "name": name})
        return bool(answer.get("status"))

    async def disable(self, uuid: str) -> None:
        """End a client's stream at once; unpairing alone lets it go on."""
        await self._call("POST", "/api/clients/update", {"uuid": uuid, "enabled": False})

    async def unpair(self, uuid: str) -> None:
        await self._call("POST", "/api/clients/unpair", {"uuid": uuid})

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            sent = None if body is None else json.dumps(body).encode()
            status, data = await call(self._target, method, path, self._headers, sent, _SECONDS)
            answer = json_of(data or b"{}")
        except (UpstreamError, ValueError) as e:
            raise ApiError(f"Sunshine's {path} does not answer: {e}") from e
        if status != 200 or not isinstance(answer, dict):
            raise ApiError(f"Sunshine's {path} answered {status}")
        return answer
