"""Texts in records: JSON is UTF-8, and the names of files are bytes that may be anything.

Python has such bytes in a name as lone surrogates (PEP 383), which no JSON takes.
"""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from pydantic import BeforeValidator, PlainSerializer

_BYTES = "bytes:"  # no path of ours begins so: they are absolute


def _write(path: str | None) -> str | None:
    if path is None or path.isascii():
        return path
    name = path.encode("utf-8", "surrogateescape")
    try:
        return name.decode()
    except UnicodeDecodeError:
        return _BYTES + quote_from_bytes(name)


def _read(path: object) -> object:
    if isinstance(path, str) and path.startswith(_BYTES):
        return unquote_to_bytes(path.removeprefix(_BYTES)).decode("utf-8", "surrogateescape")
    return path


def printable(text: str) -> str:
    """``text`` with the bytes in it that are no UTF-8 as ``\\xb0``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def json_of(data: bytes | str) -> Any:
    """The value that somebody else has written as JSON.

    Raises
    ------
    ValueError
        It is none, or nested so deeply that nobody can have meant it.
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


#: A path that comes back as it was.
PathText = Annotated[str, BeforeValidator(_read), PlainSerializer(_write, when_used="json")]
#: Words for the user, in which a path may be named.
Words = Annotated[str, PlainSerializer(printable, when_used="json")]
