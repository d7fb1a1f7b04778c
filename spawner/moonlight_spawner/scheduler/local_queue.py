"""The queue of this machine: places for a user's sessions, given out in the order of asking.

Places and tickets are files with a lock each, which the kernel frees when their holder ends. They
lie on the machine itself: not every shared file system has locks. Whoever has a ticket or a place
shares the lock of the directory; the last one to go has it alone, and takes the directory away.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import time
from pathlib import Path

from ..model.errors import UnsafeDirectory
from ..model.files import open_private, private_directory

log = logging.getLogger(__name__)


_OWN = ".moonlight-hpc-"
_TRIES = 100


def place_of(root: Path) -> Path:
    """Where the queue of the sessions below ``root`` is, unless somebody else has taken that name."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]
    return Path(f"/tmp/{_OWN}{os.geteuid()}/queue-{name}")


def queue_directory(root: Path) -> Path:
    """Where the queue of the sessions below ``root`` is; made if need be.

    In /tmp, not in $XDG_RUNTIME_DIR: all of a user's servers and terminals have to agree on it, and
    that one is removed at a logout, while sessions go on. Who took the name in /tmp first gains
    nothing: the queue is below ``root`` then.
    """
    try:
        return _made(place_of(root))
    except UnsafeDirectory as e:
        log.warning("the queue is kept with the sessions: %s", e)
        return private_directory(root / "slots")


def _made(queue: Path) -> Path:
    """Make it, and the directory above if that is ours: a session that ends may take both away, also
    in between."""
    for last in range(_TRIES - 1, -1, -1):
        try:
            if queue.parent.name.startswith(_OWN):
                private_directory(queue.parent)
            return private_directory(queue)
        except (FileNotFoundError, UnsafeDirectory) as e:
            gone = e if isinstance(e, FileNotFoundError) else e.__cause__
            if not last or not isinstance(gone, FileNotFoundError):
                raise
            time.sleep(0.01)
    raise AssertionError


class Ticket:
    """One's turn for a place below ``directory``, of which there are ``how_many``.

    Whoever takes a ticket later waits until this one has a place or has gone.
    """

    def __init__(self, directory: Path, how_many: int):
        self._directory = directory
        self._how_many = how_many
        self._share: int | None = self._in_use()
        self._path = directory / f"ticket-{time.time_ns():020}-{os.getpid()}"
        self._lock: int | None = self._take()
        self._place: int | None = None

    def has_place(self) -> bool:
        """Take a place if one is free; False while others are first or all are taken."""
        if any(self._is_held(path) for path in self._earlier()):
            return False
        for number in range(self._how_many):
            self._place = _locked(self._directory / str(number))
            if self._place is not None:
                return True
        return False

    def give_up(self) -> None:
        """Leave the queue, with a place or without."""
        if self._lock is not None:
            _remove(self._path, self._lock)
            self._lock = None

    def leave(self) -> None:
        """Leave the place."""
        if self._place is not None:
            os.close(self._place)
            self._place = None

    def close(self) -> None:
        """Leave everything, and take the queue away if nobody else is in it."""
        self.give_up()
        self.leave()
        if self._share is None:
            return
        try:
            # Of several who do this at once the last one gets it: each gives up its share first.
            fcntl.flock(self._share, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(self._share, self._directory):
                self._remove_queue()
        except OSError:
            pass  # others are in it, or it is on a file system without locks
        finally:
            os.close(self._share)
            self._share = None

    def _in_use(self) -> int:
        while True:
            _made(self._directory)
            with contextlib.suppress(FileNotFoundError):
                fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                with contextlib.suppress(OSError):  # without locks it stays
                    fcntl.flock(fd, fcntl.LOCK_SH)
                if _is_at(fd, self._directory):
                    return fd
                os.close(fd)  # removed before it was ours, too

    def _remove_queue(self) -> None:
        for path in self._directory.iterdir():
            lock = _locked(path, os.O_RDWR)
            if lock is None:  # of somebody who knows nothing of the directory's lock
                return
            _remove(path, lock)
        self._directory.rmdir()
        if self._directory.parent.name.startswith(_OWN):
            self._directory.parent.rmdir()  # unless there is another queue

    def _take(self) -> int:
        while True:
            lock = _locked(self._path)
            if lock is not None:
                return lock
            # Somebody looked at it before it was locked, and took its holder for killed.
            time.sleep(0.01)

    def _earlier(self) -> list[Path]:
        names = sorted(path.name for path in self._directory.glob("ticket-*"))
        return [self._directory / name for name in names if name < self._path.name]

    def _is_held(self, path: Path) -> bool:
        with contextlib.suppress(FileNotFoundError):
            lock = _locked(path, os.O_RDWR)
            if lock is None:
                return path.exists()
            _remove(path, lock)  # its holder was killed
        return False


def _locked(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int | None:
    """A descriptor with the file's lock, None if somebody has it."""
    fd = open_private(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except OSError as e:  # a file system without locks: sessions start, as many as are asked for
        log.warning("%s takes no locks: %s", path.parent, e)
    if not _is_at(fd, path):  # its holder removed it meanwhile: the lock of nothing
        os.close(fd)
        return None
    return fd


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove(path: Path, lock: int) -> None:
    """Remove a file whose lock one has; only then give up the lock."""
    path.unlink(missing_ok=True)
    os.close(lock)
