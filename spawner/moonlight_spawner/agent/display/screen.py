"""The session's X server as our own programs reach it: nobody else is told its cookie.

An X server listens twice: on an abstract socket, whose name is its own while it runs, and on a file
in /tmp/.X11-unix, which whoever owns that directory could exchange. Most programs try the abstract
one first; some know the file only, so that directory has to be safe, or the session does not start.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...model.trust import exchangeable

SOCKETS = Path("/tmp/.X11-unix")
COOKIE_KIND = b"MIT-MAGIC-COOKIE-1"
_SECONDS = 2.0
#: How an administrator makes the directory, now and at each start of the node.
MAKE_SOCKETS = (
    f"An administrator has to create it: install -d -o root -g root -m 1777 {SOCKETS}, and at each "
    f"start of the node a line `D! {SOCKETS} 1777 root root 10d` in /usr/lib/tmpfiles.d/x11.conf "
    "(systemd brings it)."
)


class StrangerThere(ConnectionError):
    """Another process than the X server has the socket."""


class AddressTaken(Exception):
    """A socket that the X server has left out is somebody's."""


@dataclass(frozen=True)
class Screen:
    """A display and whose it is.

    Parameters
    ----------
    pid
        The X server's process, which alone is spoken to.
    cookie
        Its MIT-MAGIC-COOKIE-1; empty where it wants none.
    """

    display: int
    pid: int
    cookie: bytes

    @property
    def name(self) -> str:
        """As in ``DISPLAY``."""
        return f":{self.display}"

    @property
    def addresses(self) -> tuple[str, str]:
        """The abstract socket and the file."""
        path = f"{SOCKETS}/X{self.display}"
        return f"\0{path}", path

    def connect(self) -> socket.socket:
        """A connection whose other end is the X server: the abstract one, or else the file.

        Raises
        ------
        OSError
            Nobody is there; :class:`StrangerThere`: somebody else is.
        """
        abstract, path = self.addresses
        try:
            return self.connect_to(abstract)
        except ConnectionRefusedError:  # it has none
            return self.connect_to(path)

    def connect_to(self, address: str) -> socket.socket:
        """The same, on one of its addresses."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Not settimeout(): that fails at once where many wait to be let in (connect(2), EAGAIN).
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _time(_SECONDS))
            connection.connect(address)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            pid, uid, _ = struct.unpack("3i", peer)
            if pid != self.pid or uid != os.geteuid():
                raise StrangerThere(
                    f"another process (pid {pid}, uid {uid}) sits on display {self.name}"
                )
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _time(0))
            return connection
        except BaseException:
            connection.close()
            raise

    def answers(self, address: str) -> bool:
        """Whether the X server takes the cookie there (X11 connection setup).

        Raises
        ------
        OSError
            As for :meth:`connect`.
        """
        kind, cookie = (COOKIE_KIND, self.cookie) if self.cookie else (b"", b"")
        head = struct.pack("<BxHHHHxx", 0x6C, 11, 0, len(kind), len(cookie))
        with self.connect_to(address) as connection:
            connection.settimeout(_SECONDS)
            connection.sendall(head + kind + b"\0" * (-len(kind) % 4) + cookie)
            return connection.recv(8)[:1] == b"\x01"  # the first byte is 1 for success


def unsafe_sockets() -> str:
    """Why no X server can be started safely on this node, and what to do; empty if it can.

    An X server would make a missing directory itself, and its user would own it then: the sockets
    of everybody else would be his to exchange. Where nobody else is, it may.
    """
    try:
        info = SOCKETS.lstat()
    except FileNotFoundError:
        if _may_be_made():
            return ""
        return f"The directory {SOCKETS} does not exist on node {_node()}. {MAKE_SOCKETS}"
    if not stat.S_ISDIR(info.st_mode):
        return f"{SOCKETS} is no directory on node {_node()}. It has to be removed. {MAKE_SOCKETS}"
    if why := exchangeable(SOCKETS):
        return (
            f"Other users of node {_node()} could exchange the X server's socket: {why}. "
            f"{SOCKETS} has to be root's, with mode 1777. {MAKE_SOCKETS}"
        )
    return ""


def make_sockets() -> None:
    """Make the directory where it is missing and that is safe (see :func:`unsafe_sockets`)."""
    if not SOCKETS.exists() and _may_be_made():
        with contextlib.suppress(FileExistsError):
            SOCKETS.mkdir()
            SOCKETS.chmod(0o1777)


@contextlib.contextmanager
def held(address: str) -> Iterator[None]:
    """Keep others from a socket that the X server has left out.

    Programs try it, and would send a stranger their cookie there. Nobody listens, so they go on
    to the other one.

    Raises
    ------
    AddressTaken
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as keeper:
        try:
            keeper.bind(address)
        except OSError as e:
            name = address.replace("\0", "@")
            raise AddressTaken(f"{name} cannot be kept from others: {e.strerror}") from e
        try:
            yield
        finally:
            if not address.startswith("\0"):
                Path(address).unlink(missing_ok=True)


def _time(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))


def _may_be_made() -> bool:
    """By root, as in most containers; or where /tmp is this user's alone, as Slurm can have it."""
    own = SOCKETS.parent.lstat().st_uid == os.geteuid()
    return own and not exchangeable(SOCKETS.parent)


def _node() -> str:
    return os.uname().nodename
