"""Asks the node of a running session, its streaming host and its clipboard: `/control/…`."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from ..relay.upstream import Target, UpstreamError, call

# The gateway's own API, also under the prefix of a node proxy that it takes off. It is for the portal
# and a bearer opens it, which a portal's relay adds: a desktop's page must not reach it that way.
_CONTROL = re.compile(r"(?:/(?:secure_)?r?node/[^/]+/[0-9]+)?/control(?:[/?]|$)")
_SECONDS = 30.0  # a pairing waits some seconds for its proof


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
        asking = call(target, method, "/control" + path, headers, data)
        status, answer = await asyncio.wait_for(asking, _SECONDS)
        return status, json.loads(answer)
    except asyncio.TimeoutError as e:
        raise UpstreamError("the node did not answer in time") from e
    except ValueError as e:
        raise UpstreamError("the answer is not JSON") from e
