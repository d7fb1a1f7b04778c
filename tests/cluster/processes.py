"""Processes as /proc shows them: identity beyond a reused pid, life, and descent."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.keeper import descendants, stat_fields
from tests.support.waiting import PATIENCE, wait_until

__all__ = ["Process", "descendants", "end_all", "listening", "mentioning", "of_user", "shown"]


@dataclass(frozen=True)
class Process:
    """A pid with its start time, so that a reused pid is never taken for the old process."""

    pid: int
    start: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has this pid now; ProcessLookupError when there is none."""
        try:
            return cls(pid, stat_fields(pid)[19])
        except (OSError, IndexError) as error:
            raise ProcessLookupError(f"no process {pid}") from error

    def alive(self) -> bool:
        """False for a zombie too: nothing guarantees that anybody reaps it soon.

        OSError where it cannot be looked at: who takes that for its end removes what is in use.
        """
        try:
            fields = stat_fields(self.pid)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return fields[0] not in "ZX" and fields[19] == self.start

    def stopped(self) -> bool:
        """True while SIGSTOP holds it."""
        try:
            fields = stat_fields(self.pid)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return fields[0] == "T" and fields[19] == self.start

    def signal(self, number: int) -> bool:
        """Send a signal; False when the process is gone."""
        if not self.alive():
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait(self, seconds: float = PATIENCE) -> bool:
        """True once it has ended, False when `seconds` were not enough."""
        return wait_until(lambda: not self.alive(), seconds)


def end_all(find: Callable[[], Iterable[int]]) -> bool:
    """SIGKILL the pids that `find()` returns until it returns none: killed ones may have forked."""

    def none_left() -> bool:
        pids = list(find())
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    return wait_until(none_left)


def listening(port: int) -> bool:
    """Whether a TCP socket listens on `port`, without connecting to it.

    A probing connection would leave errors in the log of slurmctld and slurmdbd.
    """
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    return True
    return False


def mentioning(text: str) -> dict[int, str]:
    """Processes with `text` in their command line or environment: pid to command line."""
    wanted = text.encode()
    found: dict[int, str] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = Path("/proc", entry, "cmdline").read_bytes()
            if wanted in command or wanted in Path("/proc", entry, "environ").read_bytes():
                found[int(entry)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def shown(pid: int, name: str) -> bytes:
    """What /proc has of a process under this name (proc(5)); nothing of one that has ended meanwhile."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path("/proc", str(pid), name).read_bytes()
    return b""


def of_user(uid: int) -> dict[int, str]:
    """What runs of a user: pid to command line. One that ends while it is looked at is left out."""
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(folder.name)
            if folder.stat().st_uid == uid and stat_fields(pid)[0] != "Z":
                command = (folder / "cmdline").read_bytes()
                found[pid] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found
