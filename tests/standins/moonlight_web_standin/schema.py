"""Types of configuration and data, checked as strictly as the Rust structs are (and more)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization


class Wrong(Exception):
    """Says where and what, in the words of serde."""


Check = Callable[[Any, str], Any]
MISSING = object()


@dataclass(frozen=True)
class Key:
    """A key of an object; without default it has to be there."""

    check: Check
    default: Any = MISSING


def _named(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f'string "{value}"'
    return "a sequence" if isinstance(value, list) else "map"


def _wrong(value: Any, where: str, expected: str) -> Wrong:
    return Wrong(f"{where}: invalid type: {_named(value)}, expected {expected}")


def text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(value, where, "a string")
    return value


def flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, where, "a boolean")
    return value


def anything(value: Any, _where: str) -> Any:
    return value


def unsigned(bits: int) -> Check:
    def check(value: Any, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
            raise _wrong(value, where, f"u{bits}")
        return value

    return check


def one_of(*words: str, any_case: bool = False) -> Check:
    def check(value: Any, where: str) -> str:
        given = text(value, where)
        if (given.upper() if any_case else given) not in words:
            listed = ", ".join(f"`{w}`" for w in words)
            raise Wrong(f"{where}: unknown variant `{given}`, expected one of {listed}")
        return given

    return check


def maybe(inner: Check) -> Check:
    return lambda value, where: None if value is None else inner(value, where)


def many(inner: Check) -> Check:
    def check(value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(value, where, "a sequence")
        return [inner(item, f"{where}[{at}]") for at, item in enumerate(value)]

    return check


def numbered(inner: Check) -> Check:
    """A map whose keys are numbers, written as strings."""

    def check(value: Any, where: str) -> dict[int, Any]:
        if not isinstance(value, dict):
            raise _wrong(value, where, "a map")
        for key in value:
            if not re.fullmatch(r"\d{1,10}", key):
                raise Wrong(f"{where}: invalid digit found in string: {key!r}")
        return {int(key): inner(item, f"{where}.{key}") for key, item in value.items()}

    return check


def struct(keys: dict[str, Key]) -> Check:
    def check(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(value, where, "a map")
        for name in value:
            if name not in keys:
                listed = ", ".join(f"`{k}`" for k in keys)
                raise Wrong(f"{where}: unknown field `{name}`, expected one of {listed}")
        found = {}
        for name, key in keys.items():
            if name in value:
                found[name] = key.check(value[name], f"{where}.{name}".lstrip("."))
            elif key.default is MISSING:
                raise Wrong(f"{where or 'top level'}: missing field `{name}`")
            else:
                found[name] = key.default
        return found

    return check


def socket_address(value: Any, where: str) -> tuple[str, int]:
    given = text(value, where)
    host, _, port = given.rpartition(":")
    try:
        address = str(ipaddress.ip_address(host.strip("[]")))
        if not 0 <= int(port) < 65536:
            raise ValueError(port)
    except ValueError as e:
        raise Wrong(f"{where}: invalid socket address syntax: {given!r}") from e
    return address, int(port)


def hexed(size: int) -> Check:
    def check(value: Any, where: str) -> str:
        given = text(value, where)
        if not re.fullmatch(f"[0-9a-fA-F]{{{2 * size}}}", given):
            raise Wrong(f"{where}: invalid length: expected {size} bytes")
        return given

    return check


def certificate(value: Any, where: str) -> str:
    given = text(value, where)
    try:
        x509.load_pem_x509_certificate(given.encode())
    except ValueError as e:
        raise Wrong(f"{where}: not a certificate in PEM") from e
    return given


def private_key(value: Any, where: str) -> str:
    given = text(value, where)
    try:
        serialization.load_pem_private_key(given.encode(), None)
    except (ValueError, TypeError) as e:
        raise Wrong(f"{where}: not a private key in PEM") from e
    return given


duration = struct({"secs": Key(unsigned(64)), "nanos": Key(unsigned(32))})
