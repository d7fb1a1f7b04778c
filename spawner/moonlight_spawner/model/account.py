"""Who this process's user is: as the account database says, whatever the environment claims."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path

from .texts import printable

# Shells that let nobody in. Accounts for the batch system alone have them; a terminal of a desktop
# that opens one closes at once.
_NO_SHELLS = re.compile(r"nologin|false|true|sync|halt|shutdown|git-shell|scponly|rssh")
_SHELLS = ("/bin/bash", "/usr/bin/bash", "/bin/sh")
# A file system's longest name is 255 bytes, and the image's id comes behind it.
_LONGEST = 180


@dataclass(frozen=True)
class Account:
    """``login`` is the name as it is, ``name`` the same as it can be printed and put into JSON."""

    login: str
    name: str
    home: str
    shell: str


def account() -> Account:
    """The account of this process's user.

    ``shell`` is one that opens: the account's own, else bash.
    """
    entry = pwd.getpwuid(os.geteuid())
    return Account(
        entry.pw_name, printable(entry.pw_name), entry.pw_dir, usable_shell(entry.pw_shell)
    )


def usable_shell(shell: str) -> str:
    """``shell``, or bash where that lets nobody in or is not installed here."""
    if shell and os.access(shell, os.X_OK) and not _NO_SHELLS.fullmatch(Path(shell).name):
        return shell
    return next((path for path in _SHELLS if os.access(path, os.X_OK)), "/bin/sh")


def path_name(login: str) -> str:
    """A login name as the name of a file: two users never have the same one.

    What sites commonly have in names stays as it is. A byte that is none of that becomes ``=``
    and its two digits: sbatch reads ``\\`` and Apptainer ``:`` and ``,`` in paths in ways of
    their own, and a name may be that of a directory above (``..``).
    """
    name = "".join(
        character if re.fullmatch(r"[A-Za-z0-9_@+.$-]", character) else _escaped(character)
        for character in login
    )
    if name[:1] in (".", "-"):
        name = _escaped(name[0]) + name[1:]
    if len(name) > _LONGEST:
        digest = hashlib.sha256(login.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        name = f"{name[: _LONGEST - 33]}={digest}"
    return name or "="


def _escaped(character: str) -> str:
    return "".join(f"={byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
