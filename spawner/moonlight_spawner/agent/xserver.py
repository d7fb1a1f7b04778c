"""The session's X server: Xvfb with a cookie, no TCP, and proof that it is really ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..files import read_own
from . import xclient
from .processes import Child

_START_SECONDS = 60.0


class XServerFailed(Exception):
    """It did not start, or somebody else sits on its socket."""


def write_xauthority(path: Path, display: int) -> bytes:
    """A new MIT-MAGIC-COOKIE-1 for ``display`` in an Xauthority file of mode 0600."""
    cookie = secrets.token_bytes(16)
    name = b"MIT-MAGIC-COOKIE-1"
    number = str(display).encode()
    # Xau(3): family, then address, number, name and data, each with its length before it.
    # FamilyLocal (256) is this host; FamilyWild (0xffff) matches also when the host is renamed,
    # as in a container, but python-xlib does not know it.
    entries = b""
    for family, address in ((256, os.uname().nodename.encode()), (0xFFFF, b"")):
        entries += struct.pack(">H", family)
        for part in (address, number, name, cookie):
            entries += struct.pack(">H", len(part)) + part
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "wb") as f:
        f.write(entries)
    return cookie


class XServer:
    """Xvfb, or the site's own X server, on a claimed display.

    Parameters
    ----------
    largest
        The largest size, in pixels, that Xvfb can be resized to.
    command
        Another X server and its options, empty for Xvfb.
    """

    def __init__(
        self,
        display: int,
        largest: tuple[int, int],
        xauthority: Path,
        env: Mapping[str, str],
        log: Path,
        command: Sequence[str] = (),
    ):
        self.display = display
        self._xauthority = xauthority
        self._cookie = write_xauthority(xauthority, display)
        width, height = largest
        command = command or ["Xvfb", "-screen", "0", f"{width}x{height}x24", "-dpi", "96"]
        self.name = Path(command[0]).name
        argv = [command[0], f":{display}", *command[1:]]
        argv += ["-auth", str(xauthority), "-nolisten", "tcp", "-noreset"]
        self.child = Child("xserver", argv, env, log)

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises
        ------
        XServerFailed
        """
        try:
            await self.child.start()
        except OSError as e:
            raise XServerFailed(
                f"The X server {self.name} cannot be run on this node: {e.strerror}. "
                "An administrator has to install it (Xvfb on Debian: xvfb, on RHEL: "
                "xorg-x11-server-Xvfb) or to correct the setting `x_server_command`."
            ) from e
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while loop.time() < deadline:
            if not self.child.running:
                raise XServerFailed(f"The X server ended at once: {self.child.last_words()}")
            if await asyncio.to_thread(self._answers):
                return
            await asyncio.sleep(0.05)
        raise XServerFailed(f"The X server does not answer after {_START_SECONDS:g} s.")

    async def resize(self, width: int, height: int) -> bool:
        """Give the screen this size in pixels; False if the server would not."""
        name, file = f":{self.display}", str(self._xauthority)
        return await asyncio.to_thread(xclient.resize, name, file, width, height)

    async def window_manager_present(self) -> bool:
        name, file = f":{self.display}", str(self._xauthority)
        return await asyncio.to_thread(xclient.window_manager_present, name, file)

    async def stop(self) -> None:
        await self.child.stop()
        remove_leftovers(self.display, self.child.pid)

    def _answers(self) -> bool:
        """Whether our own process takes our cookie on the sockets that clients will use.

        Clients try the abstract socket first. On a shared node anyone may have bound that name:
        then the keys typed would go to him, so the peer of each socket has to be our own process.
        """
        answered = False
        for address in (f"\0/tmp/.X11-unix/X{self.display}", f"/tmp/.X11-unix/X{self.display}"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(2)
                try:
                    connection.connect(address)
                    pid, uid, _ = struct.unpack(
                        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                    )
                    if pid != self.child.pid or uid != os.geteuid():
                        raise XServerFailed(
                            f"Another process (pid {pid}, uid {uid}) sits on display "
                            f":{self.display}."
                        )
                    answered = self._handshake(connection) or answered
                except PermissionError as e:
                    raise XServerFailed(
                        f"Another user sits on display :{self.display} with a socket of his own."
                    ) from e
                except OSError:  # not yet, or just gone: both show soon
                    continue
        return answered

    def _handshake(self, connection: socket.socket) -> bool:
        """X11 connection setup; the first byte of the answer is 1 for success."""
        name = b"MIT-MAGIC-COOKIE-1"
        head = struct.pack("<BxHHHHxx", 0x6C, 11, 0, len(name), len(self._cookie))
        connection.sendall(head + name + b"\0" * (-len(name) % 4) + self._cookie)
        return connection.recv(8)[:1] == b"\x01"


def remove_leftovers(display: int, pid: int) -> None:
    """Remove lock and socket of an X server that was killed, if they are its own."""
    lock = Path(f"/tmp/.X{display}-lock")
    with contextlib.suppress(OSError, ValueError):
        if int(read_own(lock) or "") == pid:
            lock.unlink()
            Path(f"/tmp/.X11-unix/X{display}").unlink()
