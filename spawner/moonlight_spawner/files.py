"""Files that are one user's alone: made private, written atomically, read only if they are his."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from .errors import UnsafeDirectory


def private_directory(path: Path, parents: bool = False) -> Path:
    """``path`` as a directory of this user with mode 0700; made if it does not exist.

    Raises
    ------
    UnsafeDirectory
        Someone else owns it or the directory that it is in, or it is a symbolic link: on a shared
        file system anyone may have put it there first.
    """
    try:
        if parents:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if why := belongs_to_a_stranger(path.parent):
            raise UnsafeDirectory(f"{path} is not safe: {why}. An administrator has to see to it.")
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
    if info.st_mode & 0o077:
        path.chmod(0o700)
    return path


def write_private(path: Path, data: str | bytes) -> None:
    """Replace ``path`` (mode 0600) in one step: a reader sees the old file or the new one, whole."""
    temporary = _temporary(path, data)
    try:
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_private_once(path: Path, data: str | bytes) -> bool:
    """Write ``path`` unless it exists; True if this call wrote it.

    A hard link decides, which is atomic on NFS too, and never shows half a file.
    """
    temporary = _temporary(path, data)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    return True


def read_shared(path: Path) -> bytes | None:
    """A file that another node may have written; None if it does not exist.

    Opening the directory first makes an NFS client ask the server again: without that it may
    serve a replaced file from its name cache for half a minute.
    """
    try:
        os.close(os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY))
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_own(path: Path, limit: int = 64) -> str | None:
    """A small regular file of this user's; None for anything else that may lie there.

    In a directory that all may write to, a name may be a pipe that nobody ever writes to.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
            return None
        return os.read(fd, limit).decode("utf-8", "replace")
    finally:
        os.close(fd)


def belongs_to_a_stranger(path: Path) -> str:
    """Why what lies in this directory may be exchanged by others; empty if it may not.

    The owner of a directory may rename what is in it, whoever owns that; so may everybody who may
    write to it, unless it is sticky.
    """
    info = path.stat()
    if info.st_uid not in (0, os.geteuid()):
        return f"{path} belongs to uid {info.st_uid}, who could exchange what is in it"
    # One's own directory may be writable for one's own group (umask 002 of many systems).
    others = 0o002 if info.st_uid == os.geteuid() else 0o022
    if info.st_mode & others and not info.st_mode & stat.S_ISVTX:
        return f"others may write to {path} and exchange what is in it (it is not sticky)"
    return ""


def tail(path: Path, limit: int) -> tuple[str, int]:
    """The last ``limit`` bytes of a text file, and its whole size; ``("", 0)`` if there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "", 0
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return "", 0
    with open(fd, "rb") as f:
        size = f.seek(0, os.SEEK_END)
        f.seek(max(0, size - limit))
        return f.read(limit).decode("utf-8", "replace"), size


def _temporary(path: Path, data: str | bytes) -> str:
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp makes 0600
    try:
        with open(fd, "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)
            f.flush()
            os.fsync(f.fileno())
    except BaseException:  # a full disk is not helped by half a file more
        os.unlink(name)
        raise
    return name
