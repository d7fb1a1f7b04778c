"""SysV shared memory of the session's programs: nobody else's to read, and none left behind.

A segment outlives its maker, and its mode lets in whoever its maker did not think of. What is made
through :mod:`.private_segments` is private at once; everything else that a program of the session
makes is seen here within a moment and then is (shmctl(2), IPC_SET: programs that have it go on).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_TABLE = "/proc/sysvipc/shm"
_RECORD = "segments"
_IPC_RMID, _IPC_SET, _IPC_STAT = 0, 1, 2
_OTHERS = 0o077
_PRIVATE = 0o600
_PAUSE_SECONDS = 0.1  # the table of a usual node is read in 0.1 ms
_MOST_SHARE = 0.01  # of a core, on a node with thousands of segments
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Segment:
    """A line of the kernel's table (proc(5), /proc/sysvipc/shm): whose process ids made it and was
    the last to attach or detach it."""

    id: int
    mode: int
    maker: int
    last: int
    attached: int


def segments() -> list[Segment]:
    """Those of this user, of all his sessions on the node and of whatever else he runs."""
    found = []
    own = str(os.geteuid())
    with contextlib.suppress(OSError), open(_TABLE) as table:
        columns = table.readline().split()
        names = ("shmid", "cpid", "lpid", "nattch", "perms", "uid")
        at = [columns.index(name) for name in names]
        for line in table:
            words = line.split()
            *ids, mode, uid = (words[column] for column in at)
            if uid == own:
                segment, maker, last, attached = map(int, ids)
                found.append(Segment(segment, int(mode, 8) & 0o777, maker, last, attached))
    return found


class SharedMemory:
    """What the session's programs made, who of them did, and that it is closed to others.

    Parameters
    ----------
    runtime
        Where it is written down, for the guardian: the agent may be killed.
    top
        Whoever is below this process belongs to the session.
    """

    def __init__(self, runtime: Path, top: int):
        self._record = runtime / _RECORD
        self._top = top
        self._made: dict[int, tuple[int, int]] = {}  # the maker, and the leader of its session
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Watch until :meth:`stop`."""
        self._task = asyncio.ensure_future(self._watch())

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    def made(self, segment: int, maker: int) -> None:
        """Remember a segment while its maker can still be asked who he is. From any thread."""
        self._made[segment] = (maker, _stat(maker)[1])
        with contextlib.suppress(OSError), open(self._record, "a", opener=_private) as record:
            record.write(f"{segment} {maker}\n")

    def look(self) -> None:
        """Close what has been made since the last look and is open to others."""
        before = set(self._made)
        there = segments()
        for segment in there:
            if segment.id not in self._made and self._is_ours(segment):
                self.made(segment.id, segment.maker)
            if segment.mode & _OTHERS and segment.id in self._made:
                _close(segment.id)
        for gone in before - {segment.id for segment in there}:
            del self._made[gone]

    def remove_of(self, leader: int) -> None:
        """Remove what a program that has ended, and what ran in its session, left."""
        self.look()
        for segment, (maker, its_leader) in list(self._made.items()):
            if its_leader == leader and not _lives(maker):
                _libc.shmctl(segment, _IPC_RMID, None)

    async def _watch(self) -> None:
        while True:
            began = time.thread_time()
            self.look()
            spent = time.thread_time() - began
            await asyncio.sleep(max(_PAUSE_SECONDS, spent / _MOST_SHARE))

    def _is_ours(self, segment: Segment) -> bool:
        """Its maker may have ended since; then our X server, which has it too, tells."""
        return any(self._is_below(pid) for pid in (segment.maker, segment.last))

    def _is_below(self, pid: int) -> bool:
        while pid > 1 and pid != self._top:
            pid = _stat(pid)[0]
        return pid == self._top


def remove_left(runtime: Path, agent: int = -1) -> None:
    """After the session's last process has ended: remove what any of them left.

    ``agent`` made some in the place of others.
    """
    ids = set()
    with contextlib.suppress(OSError, ValueError), open(runtime / _RECORD) as record:
        for line in record:
            segment, maker = map(int, line.split())
            if not _lives(maker):
                ids.add(segment)
    for left in segments():
        if left.attached == 0 and (left.id in ids or left.maker == agent):
            _libc.shmctl(left.id, _IPC_RMID, None)


def _close(segment: int) -> None:
    """Mode 0600, and the rest as it was. A ``shmid_ds`` begins with its ``ipc_perm``: key, uid, gid,
    cuid, cgid, mode, the last of which is a short or an int of which the lower half counts."""
    state = (ctypes.c_uint32 * 64)()
    if _libc.shmctl(segment, _IPC_STAT, state) == 0:
        state[5] = _PRIVATE
        if _libc.shmctl(segment, _IPC_SET, state) == 0:
            return
    log.warning("cannot close shared memory %d: %s", segment, os.strerror(ctypes.get_errno()))


def _lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _stat(pid: int) -> tuple[int, int]:
    """Parent and session leader of a process, zeros of one that is gone (proc(5))."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return int(words[1]), int(words[3])
    return 0, 0


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
