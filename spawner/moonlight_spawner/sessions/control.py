"""Asks the node of a running session, its agent, its streaming host and its clipboard: `/control/…`."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..model.limits import MAX_STATUS_BYTES
from ..model.records import AgentStatus
from ..model.texts import json_of
from ..relay.upstream import Target, UpstreamError, call

log = logging.getLogger(__name__)

# The gateway's own API, also under the prefix of a node proxy that it takes off. It is for the portal
# and a bearer opens it, which a portal's relay adds: a desktop's page must not reach it that way.
_CONTROL = re.compile(r"(?:/(?:secure_)?r?node/[^/]+/[0-9]+)?/control(?:[/?]|$)")
# What goes to the user's files and comes from them: who may only look at sessions must not reach it either.
_FILES = re.compile(r"(?:/(?:secure_)?r?node/[^/]+/[0-9]+)?/files/")
_STATUS_SECONDS = 5.0

#: In this an answer is read: a gateway is its user's, who may make that take long for who serves others too.
Reading = Callable[[], AbstractContextManager[None]]


def reaches_control(path: str) -> bool:
    """Whether a request for this path, passed on to a gateway, would be one to its own API."""
    return _CONTROL.match(path) is not None


def reaches_files(path: str) -> bool:
    """The same of the user's files."""
    return _FILES.match(path) is not None


async def control(
    target: Target, method: str, path: str, body: Any = None, reading: Reading = nullcontext
) -> tuple[int, dict[str, Any]]:
    """HTTP status and JSON of the host's answer.

    Raises
    ------
    UpstreamError
        The gateway does not answer, or not with an object of JSON.
    """
    headers = [*target.headers, (b"accept", b"application/json")]
    data = None if body is None else json.dumps(body).encode()
    try:
        status, answer = await call(target, method, "/control" + path, headers, data)
        with reading():
            found = json_of(answer)
        if not isinstance(found, dict):
            raise ValueError
        return status, found
    except ValueError as e:
        raise UpstreamError("the answer is no object of JSON") from e


async def status_of(target: Target, reading: Reading = nullcontext) -> AgentStatus | None:
    """What the session's agent says of it now; None if it does not answer, or not with that."""
    try:
        asking = control(target, "GET", "/status", reading=reading)
        status, answer = await asyncio.wait_for(asking, _STATUS_SECONDS)
        with reading():
            found = AgentStatus.model_validate(answer) if status == 200 else None
            if found and len(found.model_dump_json()) > MAX_STATUS_BYTES:
                return None
            return found
    except (UpstreamError, asyncio.TimeoutError, ValueError) as e:
        log.info("a gateway was asked in vain: %s", e or type(e).__name__)
        return None
