"""apps.json and the application that runs (api-apps.txt, stream-lifecycle.txt)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .log import Log

_DETACH_SECONDS = 5.0


@dataclass
class App:
    id: int
    name: str
    entry: dict[str, Any]


def _signed(text: str) -> int:
    number = zlib.crc32(text.encode())
    return abs(number - (1 << 32) if number >> 31 else number)


class Apps:
    """The list, and at most one application that runs."""

    def __init__(self, path: Path, log: Log):
        self._path, self._log = path, log
        self.apps: list[App] = []
        self._env: dict[str, str] = {}
        self._lock = threading.RLock()
        self._current: App | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._since = 0.0

    def load(self) -> None:
        """A broken file is logged and leaves the list as it was (env-failures.txt)."""
        try:
            tree = json.loads(self._path.read_text())
            entries, env = tree["apps"], dict(tree["env"])
        except json.JSONDecodeError as e:
            self._log.error(f"{self._path}({e.lineno}): expected key string")
            return
        except (OSError, KeyError, TypeError, ValueError) as e:
            self._log.error(f"{self._path}: {e}")
            return
        found: list[App] = []
        for index, entry in enumerate(entries):
            image = Path(entry.get("image-path") or "")
            extra = ""
            if image.is_absolute() and image.suffix == ".png" and image.exists():
                extra = str(image)
            number = _signed(entry["name"] + extra)
            if any(a.id == number for a in found):
                number = _signed(f"{entry['name']}{extra}{index}")
            found.append(App(number, entry["name"], entry))
        self.apps, self._env = found, {k: str(v) for k, v in env.items()}

    def running(self) -> int:
        """The id of the application that runs, 0 for none."""
        with self._lock:
            if self._current is None:
                return 0
            if self._process is not None and self._process.poll() is not None:
                detach = self._current.entry.get("auto-detach", True)
                quick = time.monotonic() - self._since < _DETACH_SECONDS
                if self._process.returncode == 0 and detach and quick:
                    self._log.info("App exited gracefully within 5 seconds of launch.")
                    self._process = None
                else:
                    self.terminate()
                    return 0
            return self._current.id

    def execute(self, number: int, extra: dict[str, str]) -> int:
        """Start one; 0 when it runs, else the status of the answer."""
        app = next((a for a in self.apps if a.id == number), None)
        if app is None:
            self._log.error(f"Couldn't find app with ID [{number}]")
            return 404
        env = {**os.environ, **extra, "SUNSHINE_APP_ID": str(app.id), "SUNSHINE_APP_NAME": app.name}
        for name, value in self._env.items():
            env[name] = _expanded(value, env)
        with self._lock:
            for step in app.entry.get("prep-cmd") or []:
                if step.get("do") and subprocess.call(shlex.split(step["do"]), env=env):
                    self._log.error(f"Prep command failed: {step['do']}")
                    return 503
            for command in app.entry.get("detached") or []:
                self._spawn(_expanded(command, env), env, own_group=False)
            self._process = None
            if app.entry.get("cmd"):
                command = _expanded(app.entry["cmd"], env)
                self._log.info(f"Executing: [{command}]")
                self._process = self._spawn(command, env, own_group=True)
                if self._process is None:
                    return 503
            else:
                self._log.info("Executing [Desktop]")
            self._current, self._since = app, time.monotonic()
        return 0

    def terminate(self) -> None:
        with self._lock:
            app, process = self._current, self._process
            self._current = self._process = None
            if process is not None and process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(float((app.entry if app else {}).get("exit-timeout", 5)))
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            for step in reversed((app.entry if app else {}).get("prep-cmd") or []):
                if step.get("undo"):
                    subprocess.call(shlex.split(step["undo"]))

    def _spawn(
        self, command: str, env: dict[str, str], own_group: bool
    ) -> subprocess.Popen[bytes] | None:
        """The real one puts ``cmd`` in a process group of its own (source), so that a KILL of
        Sunshine, or of Sunshine's group, leaves it behind as an orphan."""
        try:
            return subprocess.Popen(
                shlex.split(command),
                env=env,
                stdin=subprocess.DEVNULL,
                preexec_fn=os.setpgrp if own_group else None,
            )
        except (OSError, ValueError) as e:
            self._log.error(f"Couldn't run [{command}]: System: {e}")
            return None


def _expanded(text: str, env: dict[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda m: env.get(m[1], ""), text)
