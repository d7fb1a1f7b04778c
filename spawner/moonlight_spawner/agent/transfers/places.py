"""Where files may come from and go to: the user's home, and what the site lists besides.

What is asked for is walked part by part, each opened without following a link (openat(2), O_NOFOLLOW), so
nobody who may write to a folder on the way can lead it elsewhere in between. A link is read and walked in
the same way, as far as it stays in these places.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .names import as_part, legible, new_name, of_part
from .refusals import Refused, of_system, wrong

HOME = "~"
_MOST_LINKS = 40  # as the kernel's (path_resolution(7))
_MOST_PARTS = 256
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe is opened without waiting for who writes to it.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Places:
    """Opens folders and files by their address: ``~/Desktop/a%20b``, each part percent-encoded.

    Parameters
    ----------
    others
        Directories of the site's list; one that is not there is left out.
    """

    def __init__(self, home: Path, others: Sequence[Path] = ()):
        self._roots = {HOME: os.fsencode(home)}
        for path in map(os.fsencode, others):
            self._roots.setdefault(as_part(path), path)

    def about(self) -> list[dict[str, Any]]:
        """The places that are there, for a page to choose from."""
        there = [(at, path) for at, path in self._roots.items() if os.path.isdir(path)]
        return [{"at": at, "name": HOME if at == HOME else legible(path)} for at, path in there]

    def usual(self) -> str:
        """Where files go if nothing is chosen: the desktop, which is seen; else the home."""
        for at in (f"{HOME}/{as_part(name)}" for name in self._desktops()):
            with contextlib.suppress(Refused):
                os.close(self.folder(at))
                return at
        return HOME

    def folder(self, at: str) -> int:
        """A descriptor of the folder, to be closed.

        Raises
        ------
        Refused
        """
        return self._open(at, _FOLDER)

    def file(self, at: str) -> int:
        """A descriptor of the file, to read and to be closed.

        Raises
        ------
        Refused
            Also of what is no ordinary file.
        """
        fd = self._open(at, _FILE)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise Refused(409, "wrong_kind", f"“{_told(at)}” is no ordinary file.")
        return fd

    def make(self, at: str, names: Iterable[str], umask: int) -> str:
        """Folders below ``at``, one in the other, made where they are missing; the address of the last.

        Raises
        ------
        Refused
        """
        names = list(names)
        if len(names) > _MOST_PARTS:
            raise wrong(f"At most {_MOST_PARTS} folders can lie in each other.")
        for name in map(new_name, names):
            folder = self.folder(at)
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=folder)
                    _open_up(name, folder, umask)
            except OSError as e:
                raise of_system(e, f"The folder “{legible(name)}” cannot be made") from e
            finally:
                os.close(folder)
            at = f"{at}/{as_part(name)}"
        os.close(self.folder(at))  # there may be a file of that name
        return at

    def _open(self, at: str, flags: int) -> int:
        root, parts = self._split(at)
        try:
            return self._walk(root, parts, flags)
        except OSError as e:
            raise of_system(e, f"“{_told(at)}” cannot be opened") from e

    def _split(self, at: str) -> tuple[bytes, list[bytes]]:
        place, *rest = at.rstrip("/").split("/")
        parts = [of_part(part) for part in rest]
        for part in parts:
            if part in (b"", b".", b"..") or b"/" in part or b"\0" in part:
                raise wrong(f"“{_told(at)}” is no address of a folder or file.")
        if len(parts) > _MOST_PARTS:
            raise wrong(f"An address has at most {_MOST_PARTS} parts.")
        if place not in self._roots:
            raise Refused(
                403, "outside", f"“{_told(at)}” is in none of the places that are open here."
            )
        return self._roots[place], parts

    def _walk(self, root: bytes, parts: Iterable[bytes], flags: int) -> int:
        pending, links = deque(parts), 0
        way = [os.open(root, _FOLDER & ~os.O_NOFOLLOW)]  # the place itself is the site's to choose
        try:
            while pending:
                name = pending.popleft()
                if name == b"..":
                    os.close(way.pop())
                    if not way:
                        raise _outside(name)
                    continue
                try:
                    way.append(_step(name, way[-1], _FOLDER if pending else flags))
                except OSError as e:
                    if (target := _link(e, name, way[-1])) is None:
                        raise
                    links += 1
                    if links > _MOST_LINKS:
                        raise OSError(errno.ELOOP, "") from e
                    if target.startswith(b"/"):
                        root, target = self._place_of(target)
                        way.append(os.open(root, _FOLDER & ~os.O_NOFOLLOW))
                        for fd in way[:-1]:
                            os.close(fd)
                        del way[:-1]
                    pending.extendleft(
                        reversed([p for p in target.split(b"/") if p not in (b"", b".")])
                    )
            return way.pop()
        finally:
            for fd in way:
                os.close(fd)

    def _place_of(self, path: bytes) -> tuple[bytes, bytes]:
        for root in self._roots.values():
            for written in {root, os.path.realpath(root)}:
                if (path + b"/").startswith(written.rstrip(b"/") + b"/"):
                    return root, path[len(written.rstrip(b"/")) :]
        raise _outside(path)

    def _desktops(self) -> list[bytes]:
        """The desktop's name in this home (xdg-user-dirs), and the usual one."""
        names = [b"Desktop"]
        with contextlib.suppress(OSError, Refused, IndexError):
            fd = self.file(f"{HOME}/.config/user-dirs.dirs")
            with open(fd, "rb") as f:
                for line in f.read(4096).splitlines():
                    if line.startswith(b'XDG_DESKTOP_DIR="$HOME/'):
                        names.insert(0, line.split(b'"')[1].removeprefix(b"$HOME/").rstrip(b"/"))
        return [name for name in names if name and b"/" not in name]


def _step(name: bytes, folder: int, flags: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except PermissionError:
        if not flags & os.O_DIRECTORY:
            raise
        return os.open(name, flags | os.O_PATH, dir_fd=folder)  # to go through, not to look at


def _open_up(name: bytes, folder: int, umask: int) -> None:
    """Give a folder that was made just now the mode that is its user's.

    Whoever may write to ``folder`` may have put another one of the user's in its place since: so it is
    not gone to by a link, and what has something in it stays closed.
    """
    fd = os.open(name, _FOLDER, dir_fd=folder)
    try:
        if not os.listdir(fd):
            kept = os.fstat(fd).st_mode & (stat.S_ISGID | stat.S_ISVTX)  # as in its parent
            os.fchmod(fd, kept | (0o777 & ~umask))
    finally:
        os.close(fd)


def _link(error: OSError, name: bytes, folder: int) -> bytes | None:
    """What the link says; None if it is another error, or no link."""
    if error.errno not in (errno.ELOOP, errno.ENOTDIR):
        return None
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return None


def _outside(path: bytes) -> Refused:
    message = (
        f"A link leads to “{legible(path)}”, which is in none of the places that are open here."
    )
    return Refused(403, "outside", message)


def _told(at: str) -> str:
    return "/".join(legible(of_part(part)) for part in at.split("/"))
