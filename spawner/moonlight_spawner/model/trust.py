"""Whether a place is safe from exchange: whoever may rename a directory on the way to a file can put
another one in its place, and be told what was meant for the first.

The owner of a directory may rename what is in it, whoever owns that; so may everybody who may write
to it, unless it is sticky: then only what is his own (unlink(2), rename(2)). POSIX ACLs show in the
bits of the group (acl(5)). What a file server decides besides, by ACLs of NFSv4 or by turning users
into others, no client can see.
"""

from __future__ import annotations

import contextlib
import functools
import grp
import os
import pwd
import stat
from pathlib import Path

_UID_MAP = Path("/proc/self/uid_map")
_OVERFLOW_UID = Path("/proc/sys/kernel/overflowuid")
_MOST_LINKS = 40  # path_resolution(7)


def exchangeable(directory: str | Path) -> str:
    """Why others could exchange ``directory`` or what is in it, and what to do; empty if they
    cannot. What does not exist yet is nobody's fault.

    Each directory on the way is looked at, with those that links lead through. It has to be root's
    or this user's, and nobody else may write to it unless it is sticky. What lies below a directory
    of this user's that nobody else may enter is out of their reach, whatever its mode.
    """
    at, closed, links = Path("/"), False, 0
    why = _why(at, os.lstat(at))
    todo = _names(os.path.join(os.getcwd(), directory))
    while todo and not why:
        name = todo.pop()
        if name == "..":
            at, closed = at.parent, False
            continue
        entry = at / name
        try:
            info = os.lstat(entry)
        except FileNotFoundError:
            return ""
        except OSError as e:
            return f"{entry} cannot be looked at: {e.strerror}"
        if stat.S_ISLNK(info.st_mode):
            links += 1
            if links > _MOST_LINKS:
                return f"{directory} is a circle of symbolic links"
            # A link's owner may exchange it where nobody else may: in a sticky directory.
            if os.lstat(at).st_mode & stat.S_ISVTX and not _trusted(info.st_uid):
                return f"the symbolic link {entry} belongs to {who(info.st_uid)}: remove it"
            target = os.readlink(entry)
            if target.startswith("/"):
                at, closed = Path("/"), False
            todo += _names(target)
            continue
        at = entry
        if stat.S_ISDIR(info.st_mode):
            why = _why(at, info, closed)
            closed = closed or _closed(info)
    return why


def exposed(directory: int) -> bool:
    """Whether others may exchange what is in this open directory, whatever leads there."""
    return bool(_why(Path(f"/proc/self/fd/{directory}"), os.fstat(directory)))


def make_directories(path: Path) -> None:
    """``path`` and what is missing above it; what is made is this user's alone."""
    if path.is_dir():
        return
    make_directories(path.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
        os.chmod(path, 0o700)  # whatever the umask


def root_owns(info: os.stat_result) -> bool:
    return info.st_uid in _roots()


def _names(path: str) -> list[str]:
    """The path's parts, the first one last."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _why(path: Path, info: os.stat_result, closed: bool = False) -> str:
    if not _trusted(info.st_uid):
        return (
            f"{path} belongs to {who(info.st_uid)}, who could exchange what is in it. It has to be "
            "yours or root's"
        )
    if closed or info.st_mode & stat.S_ISVTX:
        return ""
    found = f"{path} (owner {_name(info.st_uid)}, mode {stat.S_IMODE(info.st_mode):04o})"
    if info.st_mode & 0o002:
        return (
            f"others may write to {found} and exchange what is in it (it is not sticky). Its owner "
            f"has to forbid it: chmod o-w {path}, or chmod +t {path}"
        )
    if info.st_mode & 0o020 and (_has_acl(path) or not _of_one(info.st_gid, info.st_uid)):
        return (
            f"the group {_group(info.st_gid)} may write to {found} and exchange what is in it (it is "
            f"not sticky). Its owner has to forbid it: chmod g-w {path}, or chmod +t {path}"
        )
    return ""


def _closed(info: os.stat_result) -> bool:
    return info.st_uid == os.geteuid() and not info.st_mode & 0o011


def _trusted(uid: int) -> bool:
    return uid == os.geteuid() or uid in _roots()


@functools.cache
def _roots() -> frozenset[int]:
    """Root's ids as they are seen from here.

    In a name space that does not have root (Apptainer's, without rights of its own) everybody
    outside has one id, root among them: then that has to do.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in _UID_MAP.read_text("ascii").splitlines():
            first, _, count = map(int, line.split())
            if first <= 0 < first + count:
                return frozenset({0})
        return frozenset({0, int(_OVERFLOW_UID.read_text("ascii"))})
    return frozenset({0})


def _of_one(gid: int, uid: int) -> bool:
    """Whether the group is this user's own (one group for each user, umask 002)."""
    try:
        group, account = grp.getgrgid(gid), pwd.getpwuid(uid)
    except KeyError:
        return False
    if not set(group.gr_mem) <= {account.pw_name, "root"}:
        return False
    return gid == 0 or (account.pw_gid == gid and group.gr_name == account.pw_name)


def _has_acl(path: Path) -> bool:
    try:
        return bool(os.getxattr(path, "system.posix_acl_access"))
    except OSError:  # none, or a file system without
        return False


def who(uid: int) -> str:
    """A user for an error message."""
    name = _name(uid)
    return f"uid {uid}" if name == str(uid) else f"uid {uid} ({name})"


def _name(uid: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def _group(gid: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)
