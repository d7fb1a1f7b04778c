"""Asks an address of http or https once, and follows nothing."""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..model.said import said_by

_SECONDS = 8.0
_MOST_BYTES = 64 << 10


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def refusal(self) -> str:
        """The error code of our API; empty where what answered is something else."""
        try:
            error: Any = json.loads(self.body)["error"]
            return str(error["code"])
        except (ValueError, KeyError, TypeError):
            return ""

    def __str__(self) -> str:
        kind = self.headers.get("content-type", "nothing").partition(";")[0]
        return f"{self.status} ({kind})"


async def ask(url: str, headers: Mapping[str, str] | None = None) -> Reply:
    """
    Raises
    ------
    LookupError
        Nothing answered; the text says why.
    """
    return await asyncio.to_thread(_ask, url, headers or {})


def _ask(url: str, headers: Mapping[str, str]) -> Reply:
    where = urlsplit(url)
    host, path = where.hostname or "", where.path or "/"
    connection: http.client.HTTPConnection
    if where.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, where.port, timeout=_SECONDS, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, where.port, timeout=_SECONDS)
    try:
        connection.request(
            "GET", f"{path}?{where.query}" if where.query else path, headers=dict(headers)
        )
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, found, answer.read(_MOST_BYTES))
    except TimeoutError as e:
        raise LookupError(f"no answer within {_SECONDS:g} s") from e
    except (OSError, http.client.HTTPException) as e:
        raise LookupError(said_by(e)) from e
    finally:
        connection.close()
