"""A GET to another service of the site: bounded in time and size, never sent elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from moonlight_spawner.model.said import said_by
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

_SECONDS = 5.0
_MOST_AT_ONCE = 32


class Unanswered(Exception):
    """There was no answer in time, or one too long."""


async def ask(url: str, headers: Mapping[str, str], most_bytes: int) -> tuple[int, bytes]:
    """Status and body. A redirect is an answer like others: a token must not follow it.

    Raises
    ------
    Unanswered
    """
    client = SimpleAsyncHTTPClient(
        force_instance=True,
        max_clients=_MOST_AT_ONCE,
        max_body_size=most_bytes,
        max_header_size=65536,
    )
    request = HTTPRequest(
        url,
        headers=dict(headers),
        connect_timeout=_SECONDS,
        request_timeout=_SECONDS,
        follow_redirects=False,
        decompress_response=False,  # a small answer can become a large one
    )
    try:
        response = await asyncio.wait_for(client.fetch(request, raise_error=False), 2 * _SECONDS)
        if response.code == 599:
            raise Unanswered(str(response.error))
        return response.code, response.body or b""
    except (HTTPClientError, OSError, ValueError, asyncio.TimeoutError) as e:
        raise Unanswered(said_by(e)) from e
    finally:
        client.close()
