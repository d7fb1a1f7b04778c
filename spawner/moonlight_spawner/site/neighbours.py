"""What else runs at the site, by the setting ``portal_neighbours``: `moonlight-hpc doctor --portal` looks
whether it still answers, and whether anything of ours is in its way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_KEYS = {
    *("name", "address", "port", "url", "directory", "redis_prefix", "image_prefix"),
    *("displays", "port_range"),
}
_RANGE = re.compile(r":?([0-9]+)(?:-:?([0-9]+))?")
_HIGHEST = 65535


@dataclass(frozen=True)
class Range:
    """Numbers from ``first`` to ``last``, both included."""

    first: int
    last: int

    def meets(self, other: Range) -> bool:
        return self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True)
class Neighbour:
    """Another service of the site. Prefixes are without their ``*``."""

    name: str
    address: str
    port: int | None
    url: str
    directories: tuple[str, ...]
    redis_prefixes: tuple[str, ...]
    image_prefixes: tuple[str, ...]
    displays: tuple[Range, ...]
    port_ranges: tuple[Range, ...]


def neighbour(entry: Mapping[str, Any]) -> Neighbour:
    """One entry of the setting.

    >>> vnc = neighbour({"name": "VNC", "port": 8002, "redis_prefix": "vnc:session:*", "displays": ":1-:9"})
    >>> vnc.port, vnc.redis_prefixes, str(vnc.displays[0])
    (8002, ('vnc:session:',), '1-9')

    Raises
    ------
    ValueError
        With a sentence that names the entry.
    """
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"{dict(entry)} has no name")
    if unknown := sorted(set(entry) - _KEYS):
        raise ValueError(f"{name} has {unknown[0]!r}, which is none of {', '.join(sorted(_KEYS))}")
    port, url = entry.get("port"), entry.get("url", "")
    if port is not None and not (type(port) is int and 1 <= port <= _HIGHEST):
        raise ValueError(f"{name} has the port {port!r}, which is none")
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{name} has the url {url!r}, which is none of http or https")
    directories = _texts(name, entry, "directory")
    if wrong := [path for path in directories if not path.startswith("/")]:
        raise ValueError(f"{name} has the directory {wrong[0]!r}, which is no absolute path")
    return Neighbour(
        name,
        str(entry.get("address", "127.0.0.1")),
        port,
        url,
        directories,
        _prefixes(name, entry, "redis_prefix"),
        _prefixes(name, entry, "image_prefix"),
        _ranges(name, entry, "displays"),
        _ranges(name, entry, "port_range"),
    )


def _texts(name: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """One text or several: "job:*" or ["job:*", "user:*"]."""
    value = entry.get(key, [])
    texts = [value] if isinstance(value, (str, int)) else value
    if not isinstance(texts, Sequence) or not all(isinstance(t, (str, int)) for t in texts):
        raise ValueError(
            f"{name} has the {key} {value!r}, which is neither a text nor a list of them"
        )
    return tuple(map(str, texts))


def _prefixes(name: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    prefixes = tuple(text.split("*")[0] for text in _texts(name, entry, key))
    if "" in prefixes:
        raise ValueError(f"{name} has an empty {key}, which would be that of all")
    return prefixes


def _ranges(name: str, entry: Mapping[str, Any], key: str) -> tuple[Range, ...]:
    ranges = []
    for text in _texts(name, entry, key):
        found = _RANGE.fullmatch(text)
        one = Range(int(found[1]), int(found[2] or found[1])) if found else None
        if one is None or one.first > one.last or one.last > _HIGHEST:
            raise ValueError(f"{name} has the {key} {text!r}, which does not look like 1-9 or 5900")
        ranges.append(one)
    return tuple(ranges)
