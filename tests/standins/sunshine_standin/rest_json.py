"""JSON with the error texts of the library that the real one uses (pin-badjson.txt ff.)."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

T = TypeVar("T", str, bool)
_KINDS = {str: "string", bool: "boolean", int: "number", float: "number", list: "array"}


class BadJson(Exception):
    """``number`` is the library's own number of the error."""

    def __init__(self, number: int, text: str):
        family = "parse_error" if number < 200 else "type_error"
        super().__init__(f"[json.exception.{family}.{number}] {text}")


def kind(value: Any) -> str:
    return _KINDS.get(type(value), "null" if value is None else "object")


def parse(body: bytes) -> Any:
    """The body as objects. Only the recorded message is word for word."""
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except json.JSONDecodeError as e:
        at = f"parse error at line {e.lineno}, column {e.colno}"
        if text == "{":
            raise BadJson(
                101,
                "parse error at line 1, column 2: syntax error while parsing object key - "
                "unexpected end of input; expected string literal",
            ) from e
        end = e.pos >= len(text.rstrip())
        found = "unexpected end of input" if end else f"invalid literal; last read: '{text[e.pos]}'"
        raise BadJson(101, f"{at}: syntax error while parsing value - {found}") from e


def value(tree: Any, key: str, default: T) -> T:
    """A key with a default; another type is an error (pin-nopending-int.txt)."""
    if not isinstance(tree, dict):
        raise BadJson(306, f"cannot use value() with {kind(tree)}")
    found = tree.get(key, default)
    if type(found) is not type(default):
        raise BadJson(302, f"type must be {kind(default)}, but is {kind(found)}")
    return found


def stoi(text: str) -> int:
    """As C++ reads a number: leading digits count, nothing else is an error named ``stoi``."""
    found = re.match(r"\s*[+-]?\d+", text)
    if not found or abs(int(found[0])) >= 2**31:
        raise ValueError("stoi")
    return int(found[0])
