"""One process of this machine, told from all others, also from a later one with its pid."""

from __future__ import annotations

from pathlib import Path

from ..session import Model

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Fields of /proc/PID/stat after the name, which may have spaces and brackets in it (proc(5)).
_STATE, _START = 0, 19


class ProcessMark(Model):
    """A pid with the boot it is of and its start in ticks since then.

    Not the time of its start: that is worked out from the clock, and moves when the clock is set.
    """

    pid: int
    boot: str
    ticks: int

    def alive(self) -> bool:
        """Whether it still runs. A zombie does not."""
        try:
            fields = _fields(self.pid)
        except OSError:
            return False
        same = int(fields[_START]) == self.ticks and _boot() == self.boot
        return same and fields[_STATE] not in "ZXx"


def mark_of(pid: int) -> ProcessMark:
    """That of the process that has this pid now; OSError if there is none."""
    return ProcessMark(pid=pid, boot=_boot(), ticks=int(_fields(pid)[_START]))


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def _boot() -> str:
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:  # some containers hide it; ticks alone are nearly as good
        return ""
