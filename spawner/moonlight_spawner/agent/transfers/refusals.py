"""Why a file does not go where it was to go, in words and numbers that help."""

from __future__ import annotations

import errno
import os
from typing import Any

from ...model.said import said_by

_FULL = {errno.ENOSPC: "disk_full", errno.EDQUOT: "quota_full", errno.EFBIG: "too_large_there"}
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_WHAT_TO_DO = {
    "disk_full": "The disk there is full. Make room there, or choose a folder on another disk.",
    "quota_full": "Your quota there is used up. Delete what you do not need, or choose another folder.",
    "too_large_there": "No file may be that large there. Choose a folder on another disk.",
}


class Refused(Exception):
    """``status`` is HTTP's; ``facts`` are numbers of bytes that the page may say in its own words."""

    def __init__(self, status: int, code: str, message: str, **facts: int):
        super().__init__(message)
        self.status = status
        self.code = code
        self.facts = facts

    def as_json(self) -> dict[str, Any]:
        return {"message": str(self), "error": {"code": self.code, **self.facts}}


def wrong(message: str) -> Refused:
    return Refused(400, "invalid_request", message)


def no_room(needed: int, free: int) -> Refused:
    """Known before the first byte."""
    message = f"The file needs {needed} bytes more, and {free} are free on that disk. "
    return Refused(507, "disk_full", message + _WHAT_TO_DO["disk_full"], needed=needed, free=free)


def of_system(error: OSError, what: str, **facts: int) -> Refused:
    """What the system said to ``what`` was tried, e.g. ``"“a.txt” cannot be written"``."""
    number = error.errno or 0
    if number in _FULL:
        code = _FULL[number]
        return Refused(507, code, f"{what}. {_WHAT_TO_DO[code]}", **facts)
    if number in _CLOSED:
        message = f"{what}: {os.strerror(number)}. Choose a folder that is yours."
        return Refused(403, "not_permitted", message)
    if number == errno.ENOENT:
        message = f"{what}: it is not there (any more). Look at the folder again."
        return Refused(404, "no_such_file", message)
    if number in (errno.ENOTDIR, errno.EISDIR, errno.ELOOP):
        return Refused(409, "wrong_kind", f"{what}: {os.strerror(number)}.")
    if number == errno.ENAMETOOLONG:
        return Refused(400, "bad_name", f"{what}: its name is too long there.")
    message = f"{what}: {os.strerror(number) if number else said_by(error)}. Try again in a moment."
    return Refused(500, "file_system_failed", message)
