"""One agent for one session, although a batch system may start its job twice.

slurmctld may start a job a second time beside itself: one started by backfill is not in its state
file yet, so after a crash it takes the job for pending (measured on 22.05). Ending at once would make
Slurm end the first one too, so the second one waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
import time
from pathlib import Path

from pydantic import ValidationError

from ...model.errors import UnsafeDirectory
from ...model.files import private_directory, read_own, read_shared
from ...processes.mark import ProcessMark, mark_of

_LOOK_SECONDS = 1.0
_SAY_SECONDS = 60.0
# An agent writes its status every 15 s. Of a node that died a file server may keep the lock.
_SILENT_SECONDS = 300.0
_MOST_MARK = 4096


class NoLocks(Exception):
    """The file system has none."""


class Alone:
    """The lock of a session, held until :meth:`close` or until this process and its agent end.

    It is a file's, in the session's directory, which nobody else can hold. Where the file system
    has no locks it is one of this machine's: enough for the twin on the same node.
    """

    def __init__(self, lock: int | None = None, temporary: Path | None = None):
        self._lock = lock
        self._temporary = temporary

    def close(self) -> None:
        if self._temporary:
            self._temporary.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
        self._lock = self._temporary = None


def be_alone(directory: Path) -> Alone | None:
    """The lock on the session, or None once a twin that had it has ended, or is to be stopped."""
    path, temporary = directory / "lock", None
    try:
        lock = _take(path)
    except NoLocks as e:
        _say(f"{e}: a second agent is seen on this node only")
        try:
            path = temporary = _on_this_machine(directory)
            lock = _take(path)
        except (UnsafeDirectory, NoLocks) as e:
            _say(f"nor is it seen here: {e}")
            return Alone()
    if lock is None:
        return _wait(directory, path)
    with contextlib.suppress(OSError):  # a full disk: then nobody knows whose it is
        os.ftruncate(lock, 0)
        os.write(lock, mark_of(os.getpid()).model_dump_json().encode())
    return Alone(lock, temporary)


def _wait(directory: Path, path: Path) -> Alone | None:
    """Until the twin has ended, or nothing more is to be expected of it."""
    heard, since = _status(directory), time.monotonic()
    said = float("-inf")
    while True:
        holder, now = _holder(path), time.monotonic()
        if now - said >= _SAY_SECONDS:
            said = now
            _say(f"the agent {_name(holder)} runs this session already: waiting for its end")
        time.sleep(_LOOK_SECONDS)
        if _is_free(path) or not directory.exists() or _told_to_stop(directory):
            return None
        if (status := _status(directory)) != heard:
            heard, since = status, now
        elif now - since > _SILENT_SECONDS and holder and not holder.here():
            _say(f"the agent {_name(holder)} is silent for {_SILENT_SECONDS:g} s: on without it")
            return Alone()


def _on_this_machine(directory: Path) -> Path:
    """A file for the lock that others cannot hold.

    Raises
    ------
    UnsafeDirectory
    """
    name = hashlib.sha256(os.fsencode(directory.name)).hexdigest()[:16]
    return private_directory(Path(f"/tmp/.moonlight-hpc-{os.geteuid()}")) / f"session-{name}"


def _is_free(path: Path) -> bool:
    try:
        lock = _take(path)
    except NoLocks:  # for a moment, as it had some
        return False
    if lock is not None:
        os.close(lock)
    return lock is not None


def _take(path: Path) -> int | None:
    """The lock, None if somebody has it.

    Raises
    ------
    NoLocks
    """
    fd = None
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd
    except OSError as e:
        if fd is not None:
            os.close(fd)
        if isinstance(e, BlockingIOError):
            return None
        raise NoLocks(f"{path.parent} takes no locks ({e.strerror})") from e


def _told_to_stop(directory: Path) -> bool:
    try:
        return read_shared(directory / "stop.json") is not None
    except OSError:
        return False


def _status(directory: Path) -> bytes | None:
    try:
        return read_shared(directory / "status.json")
    except OSError:
        return None


def _holder(path: Path) -> ProcessMark | None:
    try:
        return ProcessMark.model_validate_json(read_own(path, _MOST_MARK) or "")
    except ValidationError:
        return None


def _name(holder: ProcessMark | None) -> str:
    return f"with process id {holder.pid} on {holder.host}" if holder else "of another start"


def _say(text: str) -> None:
    print(f"moonlight-hpc: {text}", file=sys.stderr, flush=True)
