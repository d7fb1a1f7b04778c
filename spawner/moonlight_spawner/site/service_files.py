"""Files of the portal's service alone: its own key, and the passwords that it was given."""

from __future__ import annotations

import base64
import os
import secrets
import stat
from pathlib import Path

from ..model.files import write_private_once
from ..model.trust import exchangeable

_MOST_BYTES = 65536
_LEAST_KEY_BYTES = 32


def private_file(path: Path) -> bytes:
    """A regular file that is this account's alone.

    Raises
    ------
    ValueError
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as e:
        raise ValueError(f"{path} cannot be read: {e.strerror}.") from e
    with open(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise ValueError(f"{path} is no file.")
        if info.st_uid != os.geteuid() or info.st_mode & 0o077:
            raise ValueError(
                f"{path} has to be of the service's own account with mode 0600; it is of uid "
                f"{info.st_uid} with mode {stat.S_IMODE(info.st_mode):04o}."
            )
        check_place(path)
        return file.read(_MOST_BYTES)


def check_place(path: Path) -> None:
    """With a key of his own in this one's place somebody would be whoever he likes.

    Raises
    ------
    ValueError
    """
    if why := exchangeable(path):
        raise ValueError(f"The key {path} is not read: {why}.")


def password(path: str) -> str:
    """The one line of a private file; empty if no file is named.

    Raises
    ------
    ValueError
    """
    if not path:
        return ""
    try:
        text = private_file(Path(path)).decode().strip("\r\n")
    except UnicodeDecodeError as e:
        raise ValueError(f"{path} has to hold a password in UTF-8.") from e
    if not text or "\n" in text:
        raise ValueError(f"{path} has to hold one password, in one line.")
    return text


def service_keys(path: Path) -> list[bytes]:
    """The service's own keys, of which the first encrypts and all decrypt; made where there is none.

    Raises
    ------
    ValueError
    """
    try:
        if not os.path.lexists(path):
            write_private_once(path, base64.urlsafe_b64encode(secrets.token_bytes(32)) + b"\n")
    except OSError as e:
        raise ValueError(
            f"There is no key in {path} (portal_key_file), and none can be made there: {e.strerror}. "
            "The directory has to be there and the service's own: install -d -m 0700 -o SERVICE "
            f"{path.parent}."
        ) from e
    lines = [line.strip() for line in private_file(path).splitlines() if line.strip()]
    if not lines or any(len(line) < _LEAST_KEY_BYTES for line in lines):
        raise ValueError(
            f"{path} has to hold keys of at least {_LEAST_KEY_BYTES} bytes, one a line: openssl rand "
            "-base64 32."
        )
    return lines
