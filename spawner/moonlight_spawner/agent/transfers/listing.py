"""What is in a folder: names, kinds, sizes and times, sorted and in pieces."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import Any

from .names import PART, as_part, legible
from .refusals import of_system, wrong

MOST_AT_ONCE = 500
#: So many entries of one folder are looked at; who has more finds them on the desktop.
MOST_IN_ALL = 20_000
_SORTS = ("name", "size", "time")


@dataclass(frozen=True)
class Wanted:
    """Which part of a folder.

    Parameters
    ----------
    only_folders
        Nothing but where one could go: files' names are a word from the desktop, too.
    """

    sort: str = "name"
    reverse: bool = False
    hidden: bool = False
    only_folders: bool = False
    first: int = 0
    most: int = MOST_AT_ONCE

    def __post_init__(self) -> None:
        if self.sort not in _SORTS or self.first < 0 or not 0 < self.most <= MOST_AT_ONCE:
            sorts = ", ".join(_SORTS)
            raise wrong(f"sort is one of {sorts}, from is 0 or more, most 1 to {MOST_AT_ONCE}.")


def listing(folder: int, wanted: Wanted) -> dict[str, Any]:
    """Folders come first. Parts of uploads are not among them.

    Raises
    ------
    Refused
    """
    try:
        found, cut = _read(folder, wanted)
    except OSError as e:
        if e.errno == errno.EBADF:  # one to go through only (.places)
            e = PermissionError(errno.EACCES, "")
        raise of_system(e, "The folder cannot be read") from e
    found.sort(key=_key(wanted.sort), reverse=wanted.reverse)
    found.sort(key=lambda entry: entry["kind"] != "folder")
    shown = found[wanted.first : wanted.first + wanted.most]
    return {"entries": shown, "total": len(found), "cut": cut, "free": free(folder)}


def free(folder: int) -> int:
    """Bytes that the user may still write on that disk; a quota may leave him fewer."""
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def _read(folder: int, wanted: Wanted) -> tuple[list[dict[str, Any]], bool]:
    found: list[dict[str, Any]] = []
    with os.scandir(folder) as entries:
        for looked, entry in enumerate(entries):
            if looked >= MOST_IN_ALL:
                return found, True
            name = os.fsencode(entry.name)
            if PART.fullmatch(name) or (name.startswith(b".") and not wanted.hidden):
                continue
            try:
                info = os.stat(name, dir_fd=folder)
            except OSError:  # gone meanwhile, or a link to nothing
                continue
            kind = _kind(info.st_mode)
            if kind and (kind == "folder" or not wanted.only_folders):
                found.append(
                    {
                        "name": legible(name),
                        "at": as_part(name),
                        "kind": kind,
                        "size": info.st_size if kind == "file" else None,
                        "changed": int(info.st_mtime),
                    }
                )
    return found, False


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else ""


def _key(sort: str) -> Any:
    if sort == "size":
        return lambda entry: (entry["size"] or 0, entry["name"])
    if sort == "time":
        return lambda entry: (entry["changed"], entry["name"])
    return lambda entry: (entry["name"].casefold(), entry["name"])
