"""One process, told from all others: from a later one with its pid, and from those of other machines.

Records lie in homes and directories that machines share, so a pid alone says nothing. What is not
seen here has not ended for that: :meth:`ProcessMark.gone` is true only where it is certain.
"""

from __future__ import annotations

import hashlib
import os

from ..model.session import Model
from . import signs


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
        if self.boot != signs.boot() or (self.pids and self.pids != signs.pid_names()):
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
        booted_again = bool(self.boot and signs.boot()) and self.boot != signs.boot()
        return booted_again and bool(self.machine) and self.machine == signs.machine()


def runs(pid: int, ticks: int | None = None) -> bool:
    """Whether a process with this id is seen here that has not ended; the one with this start."""
    try:
        fields = signs.fields(pid)
    except OSError:
        return False
    return ticks in (None, int(fields[signs.START])) and fields[signs.STATE] not in "ZXx"


def this_machine() -> str:
    """The same for all who see the same processes here, and another elsewhere.

    It stays the same when a machine is started again, if anything tells that it is the same one.
    """
    words = signs.machine() or f"{signs.boot()} {signs.pid_names()} {os.uname().nodename}"
    return hashlib.sha256(words.encode()).hexdigest()[:8]


def mark_of(pid: int) -> ProcessMark:
    """That of the process that has this pid now; OSError if there is none."""
    return ProcessMark.model_validate(signs.signs_of(pid))
