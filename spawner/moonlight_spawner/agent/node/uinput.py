"""Hides /dev/uinput from a program that is not in an image.

Sunshine prefers it to X: what a user types would go to the devices of the node's kernel, and with
them to whoever sits at its console.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence

DEVICES = ("/dev/uinput", "/dev/uhid")
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_BIND = 0x1000
_FAILED = 126


def writable() -> list[str]:
    """The devices by which this user could feed the node's kernel."""
    return [path for path in DEVICES if os.access(path, os.W_OK)]


def without(paths: Sequence[str], command: Sequence[str]) -> list[str]:
    """The command in a name space of its own, in which the paths lead to /dev/null.

    It keeps its process id and gains nothing: the new name space's rights end with the exec.
    """
    if not paths:
        return list(command)
    return [sys.executable, "-I", os.path.abspath(__file__), *paths, "--", *command]


def main(argv: list[str]) -> int:
    """``uinput.py PATH… -- COMMAND…``"""
    at = argv.index("--")
    paths, command = argv[:at], argv[at + 1 :]
    try:
        _hide(paths)
    except OSError as e:
        print(
            f"What you type would go to the node's own devices: every user may write to "
            f"{' and '.join(paths)}, and hiding them needs user name spaces, which the node refuses "
            f"({e.strerror}). An administrator has to change one of the two.",
            file=sys.stderr,
        )
        return _FAILED
    os.execvp(command[0], command)


def _hide(paths: Sequence[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    _check(libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as f:
            f.write(text)
    for path in paths:
        _check(libc.mount(b"/dev/null", path.encode(), None, _MS_BIND, None))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
