"""What tells one process from all others (:mod:`.mark`), as the kernel says it.

Apart from the records' model, because what starts a session on this machine writes it and loads no models.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PIDS = Path("/proc/self/ns/pid")
_MACHINE_ID = Path("/etc/machine-id")
_INTERFACES = Path("/sys/class/net")
# Fields of /proc/PID/stat after the name, which may have spaces and brackets in it (proc(5)).
STATE, START = 0, 19


def signs_of(pid: int) -> dict[str, int | str]:
    """The fields of the mark of the process that has this pid now; OSError if there is none."""
    return {
        "pid": pid,
        "boot": boot(),
        "ticks": int(fields(pid)[START]),
        "pids": pid_names(),
        "host": os.uname().nodename,
        "machine": machine(),
    }


def fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def boot() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:  # some containers hide it; ticks and names are nearly as good
        return ""


def pid_names() -> str:
    try:
        return os.readlink(_PIDS)
    except OSError:
        return ""


def machine() -> str:
    """The same at each start of a machine and another on each; empty where nothing tells that.

    Names and machine ids are copied with a machine's disk, hardware addresses are not. A container
    without hardware of its own has none, and its addresses may be those of a later one.
    """
    addresses = []
    try:
        for interface in sorted(_INTERFACES.iterdir()):
            if (interface / "device").exists():
                addresses.append((interface / "address").read_text("ascii").strip())
    except (OSError, UnicodeDecodeError):
        pass
    if not addresses:
        return ""
    try:
        machine_id = _MACHINE_ID.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine_id = ""
    words = " ".join([os.uname().nodename, machine_id, *addresses])
    return hashlib.sha256(words.encode()).hexdigest()[:32]
