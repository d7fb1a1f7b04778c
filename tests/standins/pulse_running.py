"""For tests: a PulseAudio of their own, and something to play into it."""

from __future__ import annotations

import array
import contextlib
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.waiting import wait_until

_RATE = 48000


class Pulse:
    """A server with one null sink, ``output``, that plays into nothing."""

    def __init__(self) -> None:
        # Short: a Unix socket's path has room for 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="pulse-", dir="/tmp"))
        self.server = f"unix:{self.folder}/native"
        self._env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C"}
        for name in ("PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "PULSE_CONFIG_PATH"):
            self._env[name] = str(self.folder)
        words = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
        words += ["--disallow-exit", "--realtime=no", "--high-priority=no", "--disable-shm=yes"]
        words += ["--load=module-null-sink sink_name=output rate=48000 channels=2"]
        words += [f"--load=module-native-protocol-unix socket={self.folder}/native"]
        self._env["PULSE_SERVER"] = self.server
        with (self.folder / "out").open("wb") as out:
            own = {k: v for k, v in self._env.items() if k != "PULSE_SERVER"}
            self.process = subprocess.Popen(words, env=own, stdout=out, stderr=out)
        self._ready()

    def _ready(self) -> None:
        def answered() -> bool:
            assert self.process.poll() is None, self.output
            return self._ask("info").returncode == 0

        assert wait_until(answered), self.output

    @property
    def output(self) -> str:
        return (self.folder / "out").read_text()

    def ask(self, *words: str) -> str:
        done = self._ask(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sinks(self) -> list[str]:
        return [line.split("\t")[1] for line in self.ask("list", "short", "sinks").splitlines()]

    def default(self) -> str:
        return self.ask("get-default-sink").strip()

    @contextlib.contextmanager
    def tone(self, device: str | None = None) -> Iterator[None]:
        """Played until the end of the block, into the default sink if none is named."""
        second = [round(9000 * math.sin(2 * math.pi * 440 * at / _RATE)) for at in range(_RATE)]
        stereo = array.array("h", [sample for sample in second for _ in range(2)]).tobytes()
        file = self.folder / "tone"
        file.write_bytes(stereo * 60)
        words = ["pacat", "--raw", "--format=s16le", f"--rate={_RATE}", "--channels=2"]
        words += [f"--device={device}"] if device else []
        player = subprocess.Popen([*words, str(file)], env=self._env)
        try:
            yield
        finally:
            player.kill()
            player.wait()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["pactl", *words], env=self._env, capture_output=True, text=True)
