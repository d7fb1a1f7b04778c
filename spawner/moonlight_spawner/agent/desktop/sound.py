"""A PulseAudio of the session's own: what the desktop plays and the streaming host listens to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from ...processes.child import Child
from ...processes.environment import find_in_system
from .container import Container, Node

_START_SECONDS = 15.0
_LOOK_SECONDS = 0.02  # between two looks whether it listens
# Programs play into it; a streaming host listens to its monitor, or brings a sink of its own.
SINK = "output"


class Sound:
    """One PulseAudio that plays into nothing.

    Parameters
    ----------
    env
        The environment of the session's programs; :attr:`environment` belongs into it once
        :meth:`start` has said yes.
    runtime
        The session's private directory on the node (mode 0700): who may enter it may listen.
    """

    def __init__(self, env: Mapping[str, str], runtime: Path, log_dir: Path, container: Container):
        self._directory = runtime / "pulse"
        self._socket = self._directory / "native"
        self._container = container
        # Everything it keeps stays with the session: a user has several on nodes with one home.
        own = {"PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "PULSE_CONFIG_PATH"}
        self._env = {**env, **dict.fromkeys(own, str(self._directory))}
        # It needs no D-Bus, and without this it would start one that nobody ends.
        self._env["DBUS_SESSION_BUS_ADDRESS"] = "disabled:"
        self._log = log_dir / "sound.log"
        self.child: Child | None = None

    @property
    def environment(self) -> dict[str, str]:
        """By which programs find it."""
        cookie = self._directory / "cookie"  # else every program writes one into the home
        return {"PULSE_SERVER": f"unix:{self._socket}", "PULSE_COOKIE": str(cookie)}

    async def start(self) -> str:
        """Start it and wait until it listens; why there is no sound, empty if there is."""
        program = "pulseaudio"  # of the image, where there is one
        if isinstance(self._container, Node):
            program = find_in_system(program) or ""
        if not program:
            return "PulseAudio is not installed on the node"
        self._directory.mkdir(mode=0o700, exist_ok=True)
        await self.stop()
        self._socket.unlink(missing_ok=True)
        self.child = Child("sound", self._command(program), self._env, self._log)
        try:
            await self.child.start()
        except OSError as e:
            return f"{program} cannot be run: {e.strerror}"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while loop.time() < deadline:
            if not self.child.running:
                break
            if await self._answers():
                return ""
            await asyncio.sleep(_LOOK_SECONDS)
        words = self.child.last_words(1) or "nothing"
        await self.stop()
        return f"PulseAudio does not start; it said: {words}"

    async def stop(self) -> None:
        child, self.child = self.child, None
        if child:
            await child.stop(0.5)

    def _command(self, program: str) -> list[str]:
        command = [program, "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
        command += ["--disallow-exit", "--realtime=no", "--high-priority=no", "--log-target=stderr"]
        # Below errors it tells of nothing but the D-Bus that it is not given.
        command += ["--log-level=error"]
        # Each program has a /dev/shm of its own in an image.
        command += ["--disable-shm=yes"]
        command += [f"--load=module-null-sink sink_name={SINK} rate=48000 channels=2"]
        command += [
            f"--load=module-native-protocol-unix socket={self._socket} auth-cookie-enabled=no"
        ]
        return self._container.argv(command, self._env)

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        writer.close()
        return True
