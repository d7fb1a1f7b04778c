"""A file on its way to a folder: what has come lies hidden beside where it goes, and gets its name when
all of it is there and on the disk. A name that is taken is left alone.

What has come stays when the connection breaks or the session ends. The same file, sent again to the same
folder, goes on from there; whoever does not come back for it within a week finds it removed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import secrets
import stat
import threading
from dataclasses import dataclass

from ...model.trust import exposed
from .listing import free
from .names import PART, as_part, legible, numbered, part_name
from .refusals import Refused, no_room, of_system

log = logging.getLogger(__name__)

#: A file's device and its number there.
Identity = tuple[int, int]

KEPT_SECONDS = 7 * 24 * 3600.0
_MOST_NUMBERS = 1000
_PART = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
# File systems without hard links (FAT, some of FUSE) say one of these.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL)


@dataclass(frozen=True)
class Coming:
    """What is on its way.

    Parameters
    ----------
    folder
        Its address (:mod:`.places`).
    name
        As it is to be called.
    length
        In bytes.
    """

    id: str
    folder: str
    name: bytes
    length: int

    @classmethod
    def of(cls, folder: str, name: bytes, length: int, mark: str) -> Coming:
        """``mark`` tells this file from others of its name (its time, say): with the same one it is found
        again. Empty: it is never."""
        words = "\0".join((folder, as_part(name), str(length), mark or secrets.token_hex(16)))
        return cls(hashlib.sha256(words.encode()).hexdigest()[:16], folder, name, length)

    @property
    def part(self) -> bytes:
        return part_name(self.name, self.id)

    @property
    def told(self) -> str:
        return f"“{legible(self.name)}”"


class Part:
    """What has come of one file, open to be written on. Its methods block.

    Not two of them at once: whoever has stopped waiting for one may close it, and then another file might
    have its number.
    """

    def __init__(self, coming: Coming, folder: int, umask: int, known: Identity | None = None):
        """
        Parameters
        ----------
        folder
            Descriptor of its folder, from now on this object's to close.
        known
            Which file it was before.

        Raises
        ------
        Refused
        """
        self._coming = coming
        self._umask = umask
        self._one_at_a_time = threading.Lock()
        self._folder = folder
        self._fd = -1
        try:
            self._fd = _opened(coming, folder, known)
            info = os.fstat(self._fd)
        except BaseException:
            self.close()
            raise
        #: To know it by, when it is opened again.
        self.identity = info.st_dev, info.st_ino

    @property
    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def write(self, data: bytes, at: int) -> None:
        """
        Raises
        ------
        Refused
            What was written before stays.
        """
        rest = memoryview(data)
        with self._one_at_a_time:
            try:
                while rest:
                    done = os.pwrite(self._fd, rest, at)
                    rest, at = rest[done:], at + done
            except OSError as e:
                left = self._coming.length - at
                raise of_system(e, f"{self._coming.told} cannot be written", needed=left) from e

    def finish(self) -> bytes:
        """Put it on the disk and give it its name, which is told.

        Raises
        ------
        Refused
        """
        with self._one_at_a_time:
            try:
                os.fsync(self._fd)
                os.fchmod(self._fd, 0o666 & ~self._umask)
                name = self._named()
                with contextlib.suppress(OSError):  # one to go through only; or it cannot
                    os.fsync(self._folder)
                return name
            except OSError as e:
                raise of_system(e, f"{self._coming.told} cannot be put in its place") from e

    def discard(self) -> None:
        with self._one_at_a_time, contextlib.suppress(FileNotFoundError):
            os.unlink(self._coming.part, dir_fd=self._folder)

    def close(self) -> None:
        with self._one_at_a_time:
            for fd in (self._fd, self._folder):
                if fd >= 0:
                    os.close(fd)
            self._fd = self._folder = -1

    def _named(self) -> bytes:
        part, wished = self._coming.part, self._coming.name
        for number in range(1, _MOST_NUMBERS):
            name = wished if number == 1 else numbered(wished, number)
            with contextlib.suppress(FileExistsError):
                _move(part, name, self._folder)
                return name
        raise Refused(
            409, "name_taken", f"{_MOST_NUMBERS} files of the name {self._coming.told} are there."
        )


def _opened(coming: Coming, folder: int, known: Identity | None) -> int:
    try:
        try:
            fd = os.open(coming.part, _PART | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
            made = True
        except FileExistsError:
            fd = os.open(coming.part, _PART, dir_fd=folder)
            made = False
    except OSError as e:
        raise of_system(e, f"{coming.told} cannot be written there") from e
    try:
        info = os.fstat(fd)
        # In a folder of several users it may be somebody else's, or another file of this user's that was
        # given this name: what is in that must not become part of one that others may read.
        own = stat.S_ISREG(info.st_mode) and info.st_uid == os.geteuid() and info.st_nlink == 1
        same = made or (info.st_dev, info.st_ino) == known
        if not own or (not same and exposed(folder)):
            raise Refused(409, "wrong_kind", f"“{legible(coming.part)}” is in the way.")
        if info.st_size > coming.length:
            os.ftruncate(fd, 0)
        needed, there = coming.length - os.fstat(fd).st_size, free(folder)
        if needed > there:
            if info.st_size == 0:
                os.unlink(coming.part, dir_fd=folder)
            raise no_room(needed, there)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _move(part: bytes, name: bytes, folder: int) -> None:
    """
    Raises
    ------
    FileExistsError
        There is something of that name, which stays.
    """
    try:
        os.link(part, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as e:
        if e.errno not in _NO_LINKS:
            raise
        # Whoever makes a file of that name in this very moment loses it: there is no other way here.
        with contextlib.suppress(FileNotFoundError):
            os.stat(name, dir_fd=folder, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, "") from e
        os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        os.unlink(part, dir_fd=folder)


def remove_old(folder: int, keep: set[bytes], now: float) -> None:
    """Remove what nobody has come back for, but ``keep``. Reads the whole folder."""
    before = now - KEPT_SECONDS
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name = os.fsencode(entry.name)
            if not PART.fullmatch(name) or name in keep:
                continue
            with contextlib.suppress(OSError):
                info = os.stat(name, dir_fd=folder, follow_symlinks=False)
                own = info.st_uid == os.geteuid() and stat.S_ISREG(info.st_mode)
                if own and info.st_mtime < before:
                    os.unlink(name, dir_fd=folder)
                    log.info("removed what had come of a file a week ago")
