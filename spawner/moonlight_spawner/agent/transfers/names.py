"""Names of files: bytes on the node, text for people, percent-encoded bytes between the two."""

from __future__ import annotations

import os
import re
import unicodedata
from urllib.parse import quote_from_bytes, unquote_to_bytes

from .refusals import Refused

MAX_NAME_BYTES = 255
# What turns the rest of a line around: "gnp.exe" that is shown as "exe.png".
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DOUBLE = re.compile(r"(?P<stem>.+?)(?P<end>\.tar\.[^.]{1,4}|\.[^.]*)?", re.DOTALL)


def as_part(name: bytes) -> str:
    """The exact name, for an address or JSON."""
    return quote_from_bytes(name, safe="")


def of_part(part: str) -> bytes:
    return unquote_to_bytes(part)


def legible(name: bytes) -> str:
    """For people: UTF-8, else EUC-KR (in its larger form, cp949), which older systems of Korea wrote."""
    for charset in ("utf-8", "cp949"):
        try:
            text = name.decode(charset)
            break
        except UnicodeDecodeError:
            continue
    else:
        text = name.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def new_name(text: str) -> bytes:
    """The name of a file that comes, composed as Linux writes it (macOS sends Hangul in pieces).

    Raises
    ------
    Refused
    """
    text = unicodedata.normalize("NFC", text)
    told = legible(text.encode("utf-8", "surrogatepass"))
    if text in ("", ".", "..") or "/" in text:
        raise Refused(400, "bad_name", f"“{told}” is no name of a file.")
    if _TURNS.search(text) or any(
        unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text
    ):
        message = f"“{told}” has control characters in its name. Rename it and send it again."
        raise Refused(400, "bad_name", message)
    name = text.encode()
    if len(name) > MAX_NAME_BYTES:
        message = (
            f"The name “{told[:40]}…” has {len(name)} bytes; at most {MAX_NAME_BYTES} are possible."
        )
        raise Refused(400, "bad_name", f"{message} Shorten it and send it again.")
    return name


def numbered(name: bytes, number: int) -> bytes:
    """``result (2).tar.gz`` of a name that is taken."""
    text = os.fsdecode(name)
    found = _DOUBLE.fullmatch(text)
    stem, end = (found["stem"], found["end"] or "") if found else (text, "")
    tail = os.fsencode(f" ({number}){end}")
    return _cut(os.fsencode(stem), MAX_NAME_BYTES - len(tail)) + tail


def part_name(name: bytes, upload_id: str) -> bytes:
    """Of what has come of a file so far: hidden, and with the name of what it becomes."""
    tail = b".part-" + upload_id.encode()
    return b"." + _cut(name, MAX_NAME_BYTES - 1 - len(tail)) + tail


PART = re.compile(rb"\..+\.part-[0-9a-f]{16}", re.DOTALL)


def _cut(name: bytes, most: int) -> bytes:
    """Not in the middle of a character."""
    if len(name) <= most:
        return name
    name = name[:most]
    return name.decode("utf-8", "ignore").encode() or name
