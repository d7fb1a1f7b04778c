"""A TigerVNC server to measure: on a display of its own, with a Unix socket in a private directory and
no port at all."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from ...model.records import Spec
from ...processes.environment import find

PROGRAMS = ("Xtigervnc", "Xvnc")
MISSING = (
    "TigerVNC is not installed on node {node}: neither Xtigervnc nor Xvnc is found. An administrator has "
    "to install it for the measurement (Debian and Ubuntu: tigervnc-standalone-server, RHEL: "
    "tigervnc-server)."
)


async def program() -> tuple[str, str] | None:
    """Its path and its name with its version; None if it is not on this node."""
    for name in PROGRAMS:
        if (path := find(name)) and (said := await _version(path)):
            return path, said
    return None


async def _version(path: str) -> str:
    """``TigerVNC 1.12.0``; empty of an Xvnc of somebody else."""
    process = await asyncio.create_subprocess_exec(
        path,
        "-version",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    found = re.search(r"TigerVNC [0-9][0-9.]*[0-9]", output.decode("utf-8", "replace"))
    return found[0] if found else ""


def with_vnc(spec: Spec, path: str, socket: Path) -> Spec:
    """A session whose X server is that one."""
    command = [path, "-geometry", spec.request.resolution, "-depth", "24"]
    command += ["-FrameRate", str(spec.request.fps)]  # the same for both
    command += ["-rfbunixpath", str(socket), "-rfbunixmode", "0600", "-rfbport", "-1"]
    # The socket lies in a directory of mode 0700: nobody else comes so far as to be asked.
    command += ["-SecurityTypes", "None", "-AlwaysShared"]
    return spec.model_copy(update={"x_server_command": command})
