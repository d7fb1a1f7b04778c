"""The shell of a desktop's terminals: the user's own, with what is held back from the desktop.

Terminals start what ``SHELL`` names (xfce4-terminal, konsole, and programs that open a shell).
That is a few lines of shell in the session's private directory, so that a module's libraries and
programs are there where the user works, and not in the desktop around it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from ...processes.environment import held_back


def shell_for_terminals(runtime: Path, job: Mapping[str, str], shell: str) -> str:
    """Path of what a terminal has to start; ``shell`` itself where nothing is held back.

    Also where the session's directory is on a file system without programs (``noexec``): terminals
    open all the same, and have the desktop's environment.
    """
    held = held_back(job)
    if not held:
        return shell
    lines = ["#!/bin/sh", "# A terminal of this session starts this. It ends with the session."]
    lines += [
        f"export {name}={shlex.quote(value)}" for name, value in {**held, "SHELL": shell}.items()
    ]
    lines += [f'exec {shlex.quote(shell)} "$@"', ""]
    # Named as the shell: terminals show the name, and some look at it.
    path = runtime / "shell" / Path(shell).name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    path.chmod(0o700)
    return str(path) if os.access(path, os.X_OK) else shell
