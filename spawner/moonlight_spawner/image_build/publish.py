"""Puts a finished image in its place; guards the VNC images, which are never touched."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .failures import BuildFailed

MODE = 0o644


def building_path(target: Path) -> Path:
    """Where the image is built: beside its place, hidden, so that a rename is enough.

    Its name is no image's name, so nobody is offered it.
    """
    return target.with_name(f".{target.name}.building")


def put_in_place(built: Path, target: Path, uid: int, gid: int) -> None:
    """Mode 0644 and owner, on the disk, then over the old image in one step.

    Sessions that run the old image keep its file until they end.

    Raises
    ------
    BuildFailed
        The owner cannot be set, or ``target`` is something that is not to be replaced.
    """
    if not target.name.startswith("sunshine_") or target.suffix != ".sif":
        raise BuildFailed(f"{target} is not a sunshine_*.sif, so it is not replaced.")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(target.lstat().st_mode):
            raise BuildFailed(f"{target} is not a regular file, so it is not replaced. Remove it.")
    try:
        fd = os.open(built, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fchown(fd, uid, gid)
            os.fchmod(fd, MODE)  # after chown, which takes bits away
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(built, target)
        directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as e:
        raise BuildFailed(f"{built} cannot be put in place as {target}: {e.strerror}.") from e


@contextlib.contextmanager
def untouched(path: Path) -> Iterator[None]:
    """Make sure that a file is the same afterwards: place, content time, mode, owner, size.

    The file is held open, for reading only, so that its inode cannot be given to another one.

    Raises
    ------
    BuildFailed
        It cannot be read, is no regular file, or was changed meanwhile.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as e:
        raise BuildFailed(f"The image {path} cannot be read: {e.strerror}.") from e
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise BuildFailed(f"{path} is not a regular file.")
        yield
        if _identity(before) != _identity(os.fstat(fd)) or not _same_file(path, before):
            raise BuildFailed(
                f"{path} was changed while it was read. The build did not do that; the result is "
                "thrown away, because nobody knows what it was made from. Start again."
            )
    finally:
        os.close(fd)


def identity(path: Path) -> str:
    """What tells one version of a file from another, without reading it."""
    return repr(_identity(path.stat()))


def _identity(info: os.stat_result) -> tuple[int, ...]:
    # ctime changes with every write, chmod and chown, and nobody can set it back.
    return (
        info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns,
        info.st_mode, info.st_uid, info.st_gid,
    )  # fmt: skip


def _same_file(path: Path, before: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), before)
    except OSError:
        return False
