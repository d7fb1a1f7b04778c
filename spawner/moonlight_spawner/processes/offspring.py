"""What runs below this process, ended to the last: the kernel says whose children they are.

A list of processes may be filtered: where /proc is mounted with ``hidepid``, other users' processes
are missing in it, and of our own those that set a group or user id of their file (ssh-agent) or
that closed themselves to others (gpg-agent). So children are asked for in ``/proc/self/task/*/children``
(proc(5)), which is never filtered, and ``waitpid`` says when there is none left. Whose orphans come
to us (PR_SET_CHILD_SUBREAPER) gets to see everything that way, at the latest when what was above
it has ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

_KILLED_SECONDS = 5.0
_TICK_SECONDS = 0.02
_MOUNT_HELPERS = ("fuse2fs", "squashfuse", "fuse-overlayfs", "gocryptfs")


def end_descendants(seconds: float = 2.0) -> int:
    """TERM, then KILL everything below this process; gives how many there were.

    Asks again until nothing is left: a process may fork while it is being counted. One that is
    stopped is woken, or it could not hear TERM.
    """
    count = 0
    for signals, patience in (
        ((signal.SIGTERM, signal.SIGCONT), seconds),
        ((signal.SIGKILL,), _KILLED_SECONDS),
    ):
        deadline = time.monotonic() + patience
        told: set[int] = set()
        while _reap() and time.monotonic() < deadline:
            new = descendants() - told
            for pid in new:
                for signum in signals:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signum)
            told |= new
            if not new:  # what forks while it is killed has to be outrun
                time.sleep(_TICK_SECONDS)
        count = max(count, len(told))
    return count


def children(pid: int | None = None) -> set[int]:
    """Children of a process, by default of this one; zombies too. Empty if they cannot be seen."""
    found: set[int] = set()
    try:
        for task in Path(f"/proc/{pid or 'self'}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found.update(map(int, (task / "children").read_text().split()))
    except OSError:  # not ours to see, or gone
        pass
    if not found and not Path("/proc/self/task", str(os.getpid()), "children").exists():
        # A kernel without CONFIG_PROC_CHILDREN; loaded only there: a launch waits for what the runner loads.
        import psutil

        with contextlib.suppress(psutil.Error):
            found = {child.pid for child in psutil.Process(pid).children()}
    return found


def descendants(pid: int | None = None) -> set[int]:
    """Everything below a process, by default this one, as far as it can be seen."""
    found: set[int] = set()
    new = children(pid)
    while new:
        found |= new
        new = set().union(*map(children, new)) - found
    return found


def reap_adopted(own: Collection[int]) -> None:
    """Collect ended processes that the session's programs left to us. asyncio collects its own."""
    for pid in children() - set(own):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def reap_group(group: int) -> None:
    """Collect ended children of a process group (waitpid(2))."""
    _reap(-group)


def end_mount_helpers(leader: int) -> None:
    """KILL what a container that was killed has left of its mounts, and so keeps them taken.

    Apptainer runs them in process groups of their own, in the session (setsid(2)) that the container's
    ``leader`` began: what the user mounts in his desktop has another one.
    """
    for pid in children():
        with contextlib.suppress(OSError):
            helps = Path(f"/proc/{pid}/comm").read_text().startswith(_MOUNT_HELPERS)
            if helps and os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


def _reap(which: int = -1) -> bool:
    """Collect ended children: all, or those of the group ``-which``; whether there are others."""
    try:
        while os.waitpid(which, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
