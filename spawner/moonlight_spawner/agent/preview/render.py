"""The few requests of X's RENDER extension (renderproto 0.11) with which the X server itself makes a
picture smaller: of a screen of 33 MB (4K) half a megabyte has to be fetched."""

from __future__ import annotations

from typing import Any

from Xlib.protocol import rq

SOURCE = 1  # the operator that replaces what is there
_SUBWINDOWS = 1 << 8  # CPSubwindowMode
INCLUDE_INFERIORS = 1
_FIXED = 1 << 16
_FORMAT_BYTES = 28


class QueryVersion(rq.ReplyRequest):  # type: ignore[misc]  # Xlib has no types
    """Nothing else is answered before it."""

    _request = rq.Struct(
        rq.Card8("opcode"), rq.Opcode(0), rq.RequestLength(), rq.Card32("major"), rq.Card32("minor")
    )
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Pad(1),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card32("major"),
        rq.Card32("minor"),
        rq.Pad(16),
    )


class QueryFormats(rq.ReplyRequest):  # type: ignore[misc]
    _request = rq.Struct(rq.Card8("opcode"), rq.Opcode(1), rq.RequestLength())
    _reply = rq.Struct(
        rq.ReplyCode(),
        rq.Pad(1),
        rq.Card16("sequence_number"),
        rq.ReplyLength(),
        rq.Card32("formats"),
        rq.Card32("screens"),
        rq.Pad(16),
        rq.Binary("data"),
    )


class CreatePicture(rq.Request):  # type: ignore[misc]
    """With the value that says whether windows on it belong to it."""

    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(4),
        rq.RequestLength(),
        rq.Card32("picture"),
        rq.Card32("drawable"),
        rq.Card32("format"),
        rq.Card32("mask", default=_SUBWINDOWS),
        rq.Card32("subwindows"),
    )


class Composite(rq.Request):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(8),
        rq.RequestLength(),
        rq.Card8("operator"),
        rq.Pad(3),
        rq.Card32("source"),
        rq.Card32("mask"),
        rq.Card32("target"),
        rq.Pad(12),  # where each begins: at its corner
        rq.Card16("width"),
        rq.Card16("height"),
    )


class SetTransform(rq.Request):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(28),
        rq.RequestLength(),
        rq.Card32("picture"),
        *[rq.Int32(f"m{at}") for at in range(9)],
    )


class SetFilter(rq.Request):  # type: ignore[misc]
    _request = rq.Struct(
        rq.Card8("opcode"),
        rq.Opcode(30),
        rq.RequestLength(),
        rq.Card32("picture"),
        rq.LengthOf("name", 2),
        rq.Pad(2),
        rq.String8("name"),
    )


def format_of(x: Any, opcode: int, visual: int) -> int | None:
    """RENDER's name for the pixels of a visual; None if it has none."""
    answer = QueryFormats(x.display, opcode=opcode)
    words = memoryview(bytes(answer.data)).cast("I")
    at = answer.formats * _FORMAT_BYTES // 4
    for _ in range(answer.screens):
        depths, at = words[at], at + 2
        for _ in range(depths):
            visuals, at = words[at] >> 16, at + 2
            for _ in range(visuals):
                if words[at] == visual:
                    return int(words[at + 1])
                at += 2
    return None


def scaled(
    x: Any, opcode: int, source: int, target: int, ratio: float, size: tuple[int, int]
) -> None:
    """Draw all of one picture into another that is ``ratio`` times smaller, of this ``size``."""
    step = round(ratio * _FIXED)
    matrix = {f"m{at}": value for at, value in enumerate((step, 0, 0, 0, step, 0, 0, 0, _FIXED))}
    SetTransform(x.display, opcode=opcode, picture=source, **matrix)
    SetFilter(x.display, opcode=opcode, picture=source, name="bilinear")
    Composite(
        x.display,
        opcode=opcode,
        operator=SOURCE,
        source=source,
        mask=0,
        target=target,
        width=size[0],
        height=size[1],
    )
