"""The desktop: XFCE where it is installed, else a plain window manager with a terminal.

It runs on the node itself or in the session's Apptainer image, always with a D-Bus of its own: a
second XFCE on one host breaks the first otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from ...processes.child import Child
from ...processes.umask import of_the_user
from . import xfce
from .application import CONFIGURATION, beside, manager_alone, write_configuration
from .container import Container, Node

log = logging.getLogger(__name__)

_WINDOW_MANAGERS = ["openbox", "xfwm4", "icewm", "fluxbox", "mwm", "twm"]
_TERMINALS = ["xfce4-terminal", "xterm", "gnome-terminal", "konsole"]
_START_SECONDS = 60.0
_RETRIES = 2


class DesktopFailed(Exception):
    """No desktop could be started. The text says what to do."""


class Desktop:
    """D-Bus and desktop, as two children.

    Parameters
    ----------
    env
        The environment of everything in the desktop, with DISPLAY and XAUTHORITY.
    parts_env
        That of the session's own parts: Apptainer, around an image's desktop.
    runtime
        The session's private directory on the node (mode 0700).
    before
        What the desktop is run by, e.g. ``vglrun -d egl0``.
    config_dirs
        Where settings of the user's are read and not written.
    application
        A program that is started in the place of a desktop.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        parts_env: Mapping[str, str],
        runtime: Path,
        log_dir: Path,
        container: Container,
        before: Sequence[str] = (),
        config_dirs: Sequence[str] = (),
        application: Sequence[str] = (),
    ):
        bus = runtime / "bus"
        self._own_bus = isinstance(container, Node)
        places = [str(xfce.write_defaults(runtime / "xdg")), "/etc/xdg"]
        if self._own_bus and (last := xfce.write_first_settings(runtime / "xdg-last", env["PATH"])):
            places.append(str(last))
        self.application = list(application)
        own = {
            # An image's desktop starts a bus of its own: one on the node would start the node's
            # services for it, outside the image.
            **({"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}"} if self._own_bus else {}),
            "XDG_CONFIG_DIRS": os.pathsep.join([*config_dirs, *places]),
            "XDG_SESSION_TYPE": "x11",
            "XFCE_PANEL_MIGRATE_DEFAULT": "1",  # else the first panel asks a question
            "GTK_USE_PORTAL": "0",
            "NO_AT_BRIDGE": "1",
            # The one in the home may be root's, or on a file system that is read-only here.
            "ICEAUTHORITY": str(runtime / "iceauthority"),
            **({CONFIGURATION: write_configuration(runtime)} if application else {}),
        }
        self.env = {**env, **own}
        self.parts_env = {**parts_env, **own}
        self._bus_socket = bus
        home = self.env["HOME"]
        cwd = home if os.access(home, os.X_OK) else "/"
        if isinstance(container, Node):
            self.name, command, manager = _on_node(self.env, self.application)
            command, around = [*before, *command], self.env
        else:
            self.name = application[0] if application else container.name
            inside = [*before, IMAGE_DESKTOP, *application]
            command = container.argv(inside, self.env, language=True)
            around, manager = self.parts_env, []
        self._bus = Child(
            "dbus",
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={bus}"],
            self.env,
            log_dir / "desktop.log",
            cwd,
            umask=of_the_user(),  # it starts programs of his, too
        )
        log = log_dir / "desktop.log"
        self.child = Child("desktop", command, around, log, cwd, umask=of_the_user())
        #: Whether it has ever had a window manager.
        self.managed = False
        #: In the place of the desktop's own, if that has gone; None where it cannot be told which.
        self.manager = (
            Child("window-manager", manager, around, log, cwd, umask=of_the_user())
            if manager
            else None
        )

    async def start(self) -> None:
        """Start it; on the node itself a D-Bus first.

        Raises
        ------
        DesktopFailed
        """
        if self._own_bus:
            await self._start_bus()
        await self.restart()

    async def _start_bus(self) -> None:
        self._bus_socket.unlink(missing_ok=True)  # of one that was killed
        try:
            await self._bus.start()
        except OSError as e:
            raise DesktopFailed(
                f"D-Bus (dbus-daemon) cannot be run on this node: {e.strerror}. "
                "An administrator has to install it (package dbus)."
            ) from e
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while not self._bus_socket.exists():
            if not self._bus.running or loop.time() > deadline:
                raise DesktopFailed(f"D-Bus did not start: {self._bus.last_words()}")
            await asyncio.sleep(0.02)

    async def wait(self, there: Callable[[], Awaitable[bool]]) -> bool:
        """Until ``there`` says that a window manager is; False if none has come for a minute.

        Raises
        ------
        DesktopFailed
            It ended instead, three times.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        retries = _RETRIES
        while not await there():
            if not self.child.running:
                words = self.child.last_words()
                if retries == 0:
                    raise DesktopFailed(f"The desktop {self.name} ended at once: {words}")
                # A socket in /tmp/.ICE-unix that a stranger's desktop left behind is in the way of
                # ours if that had the same process id; the next one has another.
                retries -= 1
                log.warning("the desktop ended at once and is started again: %s", words)
                await self.restart()
            if loop.time() > deadline:
                return False
            await asyncio.sleep(0.1)
        self.managed = True
        return True

    async def restart(self) -> None:
        """Start the desktop itself (again)."""
        try:
            await self.child.start()
        except OSError as e:
            raise DesktopFailed(f"{self.child.argv[0]} cannot be run: {e.strerror}.") from e

    @property
    def bus(self) -> Child | None:
        """The D-Bus of its own; None where the image has one that ends with the desktop."""
        return self._bus if self._own_bus else None

    @property
    def pids(self) -> set[int]:
        return {self._bus.pid, self.child.pid, self.manager.pid if self.manager else 0}

    async def stop(self) -> None:
        children = [child for child in (self.child, self.manager) if child]
        await asyncio.gather(*(child.stop(1.5) for child in children))

    async def stop_bus(self) -> None:
        await self._bus.stop(0.5)


def _on_node(
    env: Mapping[str, str], application: Sequence[str]
) -> tuple[str, list[str], list[str]]:
    """Name and command of a desktop, and the command of its window manager where that is another."""
    path = env["PATH"]
    session, own = shutil.which("xfce4-session", path=path), shutil.which("xfwm4", path=path)
    if session and own and not application:
        return "XFCE", [session], [own]
    manager = next((w for n in _WINDOW_MANAGERS if (w := shutil.which(n, path=path))), None)
    if manager is None:
        raise DesktopFailed(
            f"No desktop is installed on node {os.uname().nodename}. An administrator has to "
            "install XFCE (Debian: xfce4-session xfwm4 xfce4-panel) or an Apptainer image."
        )
    if application:
        around = manager_alone(manager, env[CONFIGURATION])
        return application[0], beside(around, application, env), around
    terminal = next((t for n in _TERMINALS if (t := shutil.which(n, path=path))), None)
    name = Path(manager).name
    if terminal is None:
        return name, [manager], []
    # One shell as the group's leader: the session ends with the window manager. xterm takes no SHELL
    # that is not in /etc/shells, unless it is told to run it.
    shell = ["-e", env["SHELL"]] if Path(terminal).name == "xterm" else []
    script = 'manager=$1; shift; "$@" & exec "$manager"'
    return name, ["/bin/sh", "-c", script, "sh", manager, terminal, *shell], []


# Every image of ours has this program: it runs the image's desktop and ends with its logout.
IMAGE_DESKTOP = "/usr/local/bin/moonlight-desktop"
