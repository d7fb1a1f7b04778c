"""What a request asks for, read and checked: its headers, its fields, its body."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from ...relay import headers as h
from ...relay.incoming import Incoming, Request
from .refusals import Refused, wrong

_MOST_JSON_BYTES = 64 * 1024
#: So much of a body that is refused is read all the same: a proxy that still sends may lose the answer.
_MOST_READ_BYTES = 64 << 20
_MOST_BYTES = 1 << 53  # what JavaScript counts exactly


def off() -> Refused:
    return Refused(403, "files_off", "This site lets no files go that way.")


def number(request: Request, name: bytes) -> int:
    said = h.get(request.headers, name)
    if not re.fullmatch("[0-9]{1,16}", said) or int(said) > _MOST_BYTES:
        raise wrong(f"The header {name.decode().title()} has to be a number of bytes.")
    return int(said)


def metadata(header: str) -> dict[str, str]:
    """Of the header Upload-Metadata (tus): names, each with its value in base64."""
    found = {}
    for pair in header.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError) as e:
            raise wrong(f"“{name[:40]}” in Upload-Metadata is not UTF-8 in base64.") from e
    return found


def text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise wrong(f"{name} has to be a text.")
    return value


def address(asked: Mapping[str, Any], name: str) -> str:
    value = text(asked, name)
    if not value.isascii() or not value.isprintable() or len(value) > _MOST_JSON_BYTES:
        raise wrong(f"{name} is an address, its parts percent-encoded.")
    return value


async def json_of(incoming: Incoming) -> dict[str, Any]:
    data = await incoming.short_body(_MOST_JSON_BYTES)
    if data is None:
        raise Refused(413, "too_large", f"At most {_MOST_JSON_BYTES} bytes are taken here.")
    try:
        asked = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise wrong("The request is no object of JSON.")
    return asked


async def read_on(incoming: Incoming) -> None:
    """To the end of a body that is refused, where that is not far."""
    read = 0
    if incoming.has_unread and incoming.declared <= _MOST_READ_BYTES:
        async for piece in incoming.body():
            read += len(piece)
            if read > _MOST_READ_BYTES:
                return
