"""One process, told from all others: from a later one with its pid, and from those of other machines.

Records lie in homes and directories that machines share, so a pid alone says nothing. What is not
seen here has not ended for that: :meth:`ProcessMark.gone` is true only where it is certain.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..model.session import Model

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PIDS = Path("/proc/self/ns/pid")
_MACHINE_ID = Path("/etc/machine-id")
_INTERFACES = Path("/sys/class/net")
# Fields of /proc/PID/stat after the name, which may have spaces and brackets in it (proc(5)).
_STATE, _START = 0, 19


class ProcessMark(Model):
    """A pid with the boot it is of and its start in ticks since then, and where that pid counts.

    Not the time of its start: that is worked out from the clock, and moves when the clock is set.

    ``pids`` is the name space of process ids (containers of one machine have their own), ``host``
    the machine's name and ``machine`` what tells it from others of that name. These three are
    empty in records of older versions, which were compared by the boot alone.
    """

    pid: int
    boot: str
    ticks: int
    pids: str = ""
    host: str = ""
    machine: str = ""

    def here(self) -> bool:
        """Whether its pid counts here, so that it can be seen whether it runs."""
        if self.boot != _boot() or (self.pids and self.pids != _pid_names()):
            return False
        return bool(self.boot) or not self.host or self.host == os.uname().nodename

    def alive(self) -> bool:
        """Whether it is seen to run. A zombie does not, and nothing of another machine is seen."""
        return self.here() and runs(self.pid, self.ticks)

    def gone(self) -> bool:
        """Whether it has certainly ended: it is not seen where it would be, or this very machine
        was started again since.

        False for the live and for all others: another machine of this name, another container.
        """
        if self.here():
            return not self.alive()
        booted_again = bool(self.boot and _boot()) and self.boot != _boot()
        return booted_again and bool(self.machine) and self.machine == _machine()


def runs(pid: int, ticks: int | None = None) -> bool:
    """Whether a process with this id is seen here that has not ended; the one with this start."""
    try:
        fields = _fields(pid)
    except OSError:
        return False
    return ticks in (None, int(fields[_START])) and fields[_STATE] not in "ZXx"


def this_machine() -> str:
    """The same for all who see the same processes here, and another elsewhere.

    It stays the same when a machine is started again, if anything tells that it is the same one.
    """
    words = _machine() or f"{_boot()} {_pid_names()} {os.uname().nodename}"
    return hashlib.sha256(words.encode()).hexdigest()[:8]


def mark_of(pid: int) -> ProcessMark:
    """That of the process that has this pid now; OSError if there is none."""
    return ProcessMark(
        pid=pid,
        boot=_boot(),
        ticks=int(_fields(pid)[_START]),
        pids=_pid_names(),
        host=os.uname().nodename,
        machine=_machine(),
    )


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def _boot() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:  # some containers hide it; ticks and names are nearly as good
        return ""


def _pid_names() -> str:
    try:
        return os.readlink(_PIDS)
    except OSError:
        return ""


def _machine() -> str:
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
