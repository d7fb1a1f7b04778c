"""Asks the node of a running session, its agent, its streaming host and its clipboard: `/control/…`."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

from ..model.limits import MAX_STATUS_BYTES
from ..model.records import AgentStatus
from ..relay.upstream import Target, UpstreamError, call

log = logging.getLogger(__name__)

# The gateway's own API, also under the prefix of a node proxy that it takes off. It is for the portal
# and a bearer opens it, which a portal's relay adds: a desktop's page must not reach it that way.
_CONTROL = re.compile(r"(?:/(?:secure_)?r?node/[^/]+/[0-9]+)?/control(?:[/?]|$)")
_STATUS_SECONDS = 5.0


def reaches_control(path: str) -> bool:
    """Whether a request for this path, passed on to a gateway, would be one to its own API."""
    return _CONTROL.match(path) is not None


async def control(target: Target, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """HTTP status and JSON of the host's answer.

    Raises
    ------
    UpstreamError
        The gateway does not answer, or not with JSON.
    """
    headers = [*target.headers, (b"accept", b"application/json")]
    data = None if body is None else json.dumps(body).encode()
    try:
        status, answer = await call(target, method, "/control" + path, headers, data)
        return status, json.loads(answer)
    except ValueError as e:
        raise UpstreamError("the answer is not JSON") from e


async def status_of(target: Target) -> AgentStatus | None:
    """What the session's agent says of it now; None if it does not answer, or not with that."""
    try:
        asking = control(target, "GET", "/status")
        status, answer = await asyncio.wait_for(asking, _STATUS_SECONDS)
        found = AgentStatus.model_validate(answer) if status == 200 else None
    except (UpstreamError, asyncio.TimeoutError, ValueError) as e:
        log.info("a gateway was asked in vain: %s", e or type(e).__name__)
        return None
    if found and len(found.model_dump_json()) > MAX_STATUS_BYTES:
        return None
    return found
