"""Files that are one user's alone: made private, written atomically, read only if they are his.

Where they lie is looked at by :mod:`.trust`; here the directory and the file that were really
opened have to be his, whatever the path led to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from .errors import UnsafeDirectory
from .trust import exchangeable, make_directories


class NotYours(PermissionError):
    """What was opened belongs to somebody else, or is no plain file: it is not used."""

    def __init__(self, path: Path, info: os.stat_result):
        whose = "" if info.st_uid == os.geteuid() else f" (it belongs to uid {info.st_uid})"
        super().__init__(errno.EPERM, f"this is not yours and is not used{whose}", str(path))


def private_directory(path: Path, parents: bool = False) -> Path:
    """``path`` as a directory of this user with mode 0700; made if it does not exist.

    Raises
    ------
    UnsafeDirectory
        Someone else owns it or may exchange it, or it is a symbolic link: on a shared file system
        anyone may have put it there first.
    """
    try:
        if parents:
            make_directories(path.parent)
        if why := exchangeable(path.parent):
            raise UnsafeDirectory(f"{path} is not safe: {why}.")
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as e:
        raise UnsafeDirectory(f"Cannot make the directory {path}: {e.strerror}.") from e
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode):
        raise UnsafeDirectory(f"{path} must be a directory, but is something else. Remove it.")
    if info.st_uid != os.geteuid():
        raise UnsafeDirectory(
            f"{path} must be yours alone, but belongs to uid {info.st_uid}. "
            "Ask an administrator to remove it."
        )
    if info.st_mode & 0o777 != 0o700:  # too open, or closed to its owner by an odd umask
        path.chmod(0o700)
    return path


def open_private(path: Path, flags: int) -> int:
    """Open a file of this user alone; where that makes it, with mode 0600 whatever the umask."""
    fd = os.open(path, flags, 0o600)
    if os.fstat(fd).st_uid == os.geteuid():
        os.fchmod(fd, 0o600)
    return fd


def write_private(path: Path, data: str | bytes) -> None:
    """Replace ``path`` (mode 0600) in one step: a reader sees the old file or the new one, whole.

    Raises
    ------
    OSError
        Also where the directory is somebody else's.
    """
    with _own_directory(path) as directory, _temporary(path, data, directory) as temporary:
        os.replace(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)


def write_private_once(path: Path, data: str | bytes) -> bool:
    """Write ``path`` unless it exists; True if this call wrote it.

    A hard link decides, which is atomic on NFS too, and never shows half a file.
    """
    with _own_directory(path) as directory, _temporary(path, data, directory) as temporary:
        try:
            os.link(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        except FileExistsError:
            return False
    return True


def read_shared(path: Path, limit: int = -1) -> bytes | None:
    """A file of this user's that another node may have written; None if it does not exist. No more
    than ``limit`` bytes of it, unless that is negative.

    Opening the directory first makes an NFS client ask the server again: without that it may
    serve a replaced file from its name cache for half a minute.

    Raises
    ------
    OSError
        It cannot be read, or is not his (:class:`NotYours`): what it says is not believed.
    """
    try:
        with _own_directory(path) as directory:
            with open(_open_own(path, path.name, directory), "rb") as file:
                return file.read(limit)
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_own(path: Path, limit: int = 64) -> str | None:
    """A small regular file of this user's; None for anything else that may lie there.

    In a directory that all may write to, a name may be a pipe that nobody ever writes to.
    """
    try:
        fd = _open_own(path, path)
    except OSError:
        return None
    try:
        return os.read(fd, limit).decode("utf-8", "replace")
    finally:
        os.close(fd)


def tail(path: Path, limit: int) -> tuple[str, int]:
    """The last ``limit`` bytes of a text file, and its whole size; ``("", 0)`` if there is none."""
    try:
        fd = _open_own(path, path)
    except OSError:
        return "", 0
    with open(fd, "rb") as f:
        size = f.seek(0, os.SEEK_END)
        f.seek(max(0, size - limit))
        return f.read(limit).decode("utf-8", "replace"), size


@contextlib.contextmanager
def _own_directory(path: Path) -> Iterator[int]:
    """A descriptor of the directory of ``path``, which has to be this user's."""
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        info = os.fstat(fd)
        if info.st_uid != os.geteuid():
            raise NotYours(path.parent, info)
        yield fd
    finally:
        os.close(fd)


def _open_own(path: Path, name: str | Path, directory: int | None = None) -> int:
    """A descriptor of a plain file of this user's; without waiting, should it be a pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(name, flags, dir_fd=directory)
    info = os.fstat(fd)
    if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
        os.close(fd)
        raise NotYours(path, info)
    return fd


@contextlib.contextmanager
def _temporary(path: Path, data: str | bytes, directory: int) -> Iterator[str]:
    """The name of a new file with ``data`` beside ``path``; removed if it is still there."""
    name = f".{path.name}.{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        with open(fd, "wb") as f:
            os.fchmod(fd, 0o600)  # whatever the umask
            f.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
            f.flush()
            os.fsync(fd)
        yield name
    finally:  # a full disk is not helped by half a file more
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
