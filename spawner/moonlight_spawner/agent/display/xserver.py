"""The session's X server: Xvfb with a cookie, no TCP, and proof that it is really ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...model.files import read_own
from ...processes.child import Child
from ...processes.environment import find, find_in_system
from . import xclient
from .screen import (
    COOKIE_KIND,
    AddressTaken,
    Screen,
    StrangerThere,
    held,
    make_sockets,
    unsafe_sockets,
)

_START_SECONDS = 60.0
_LOOK_SECONDS = 0.02  # between two looks whether it answers
_LAST_LINES = 5


# What its keyboard compiler says at every start, of layouts that are all right.
_OF_NO_WEIGHT = re.compile(
    r"^(The XKEYBOARD keymap compiler .*|> .*|Errors from xkbcomp are not fatal.*)$\n?",
    re.MULTILINE,
)
# What an X server says where a name of its display is somebody else's (xserver, os/connection.c and
# os/utils.c).
_TAKEN = ("listening sockets", "already active for display", "server lock file")


class XServerFailed(Exception):
    """It did not start."""


class DisplayTaken(XServerFailed):
    """Somebody else has the display, or one of its names."""


def write_xauthority(path: Path, display: int) -> bytes:
    """A new MIT-MAGIC-COOKIE-1 for ``display`` in an Xauthority file of mode 0600."""
    cookie = secrets.token_bytes(16)
    number = str(display).encode()
    # Xau(3): family, then address, number, name and data, each with its length before it.
    # FamilyLocal (256) is this host; FamilyWild (0xffff) matches also when the host is renamed,
    # as in a container, but python-xlib does not know it.
    entries = b""
    for family, address in ((256, os.uname().nodename.encode()), (0xFFFF, b"")):
        entries += struct.pack(">H", family)
        for part in (address, number, COOKIE_KIND, cookie):
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
        self._cookie = write_xauthority(xauthority, display)
        width, height = largest
        screen = ["-screen", "0", f"{width}x{height}x24", "-dpi", "96"]
        own = find(command[0]) if command else find_in_system("Xvfb")
        command = command or ["Xvfb", *screen]
        self.name = Path(command[0]).name
        argv = [own or command[0], f":{display}", *command[1:]]
        argv += ["-auth", str(xauthority), "-nolisten", "tcp", "-noreset"]
        self.child = Child("xserver", argv, env, log)
        self._held = contextlib.ExitStack()

    @property
    def screen(self) -> Screen:
        """The way to it, once it has been started."""
        return Screen(self.display, self.child.pid, self._cookie)

    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises
        ------
        XServerFailed, DisplayTaken
        """
        if why := unsafe_sockets():
            raise XServerFailed(why)
        make_sockets()
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
                words = self.last_words(_LAST_LINES)
                taken = any(said in words for said in _TAKEN)
                failure = DisplayTaken if taken else XServerFailed
                raise failure(f"The X server ended at once: {words}")
            if await asyncio.to_thread(self._answers):
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise XServerFailed(f"The X server does not answer after {_START_SECONDS:g} s.")

    def last_words(self, lines: int) -> str:
        """The end of its log, without what it says each time."""
        return self.child.last_words(lines, without=_OF_NO_WEIGHT)

    async def resize(self, width: int, height: int) -> bool:
        """Give the screen this size in pixels; False if the server would not."""
        return await asyncio.to_thread(xclient.resize, self.screen, width, height)

    async def size(self) -> str | None:
        """The screen's size in pixels, ``1280x720``; None if the server does not say."""
        return await asyncio.to_thread(xclient.size, self.screen)

    async def window_manager_present(self) -> bool:
        return await asyncio.to_thread(xclient.window_manager_present, self.screen)

    async def stop(self) -> None:
        self._held.close()
        await self.child.stop()
        remove_leftovers(self.display, self.child.pid)

    def _answers(self) -> bool:
        """Whether our own process takes our cookie on the sockets that clients will use.

        On a shared node anyone may have bound such a name: then the keys typed would go to him. One
        that the X server leaves out (the site's own may) is kept from others.
        """
        try:
            left_out = [address for address in self.screen.addresses if not self._on(address)]
            if len(left_out) == len(self.screen.addresses):
                return False
            for address in left_out:
                if not self._on(address):  # it answers, so it has opened all that it opens
                    self._held.enter_context(held(address))
        except (StrangerThere, PermissionError) as e:
            raise DisplayTaken(f"Somebody else is in the X server's place: {e}.") from e
        except AddressTaken as e:
            raise DisplayTaken(f"Somebody else has taken the X server's socket: {e}.") from e
        except OSError:  # not yet, or just gone: both show soon
            return False
        return True

    def _on(self, address: str) -> bool:
        """Whether it answers there; False if there is nothing."""
        try:
            return self.screen.answers(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return False


def remove_leftovers(display: int, pid: int) -> None:
    """Remove lock and socket of an X server that was killed, if they are its own."""
    lock = Path(f"/tmp/.X{display}-lock")
    with contextlib.suppress(OSError, ValueError):
        if int(read_own(lock) or "") == pid:
            lock.unlink()
            Path(f"/tmp/.X11-unix/X{display}").unlink()
