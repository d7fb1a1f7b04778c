"""The desktops that the browser visits: one of ours by three ways, and the incumbent's."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .jupyter import FPS, SIZE, Jupyter
from .processes import DidNotStart, Program, answers, free_port

_END_SECONDS = 30.0
_SERVER_PROXY, _INCUMBENT = "jupyter-server-proxy", "jupyter-remote-desktop-proxy"
#: Who is measured beside ours: without one of them the others still have their figures.
PEERS = (_SERVER_PROXY, _INCUMBENT)
# Its xstartup runs the desktop by dbus-launch.
_INCUMBENT_NEEDS = {"vncserver": "tigervnc-standalone-server", "dbus-launch": "dbus-x11"}
REQUEST = {"resolution": f"{SIZE[0]}x{SIZE[1]}", "fps": FPS, "hours": 1}


@dataclass(frozen=True)
class Desktop:
    """A desktop under one address.

    ``port`` is the one that the browser talks to. ``relays`` are the pids of what is between
    browser and streaming server, ``servers`` those of streaming server and X server.
    """

    name: str
    url: str
    port: int
    display: str
    xauthority: str
    relays: tuple[int, ...]
    servers: tuple[int, ...]
    login: Jupyter | None = None

    def screen(self, mode: str, directory: Path) -> Program:
        """An X client on it, see :mod:`bench.screen`."""
        return screen_program(mode, directory, self.display, self.xauthority)


def screen_program(mode: str, directory: Path, display: str, xauthority: str) -> Program:
    """One of :mod:`bench.screen` on that display."""
    env = {"DISPLAY": display, "XAUTHORITY": xauthority}
    argv = [sys.executable, "-m", "bench.screen", mode]
    return Program(f"screen-{mode}", argv, directory, env)


@contextmanager
def session(jupyter: Jupyter) -> Iterator[dict[str, Any]]:
    """A session as the portal launches it, from the answer to POST to its very end."""
    made = jupyter.call("POST", "/api/moonlight/sessions", REQUEST)
    path = f"/api/moonlight/sessions/{made['session_id']}"
    try:
        yield made
    finally:
        jupyter.call("DELETE", path)
        deadline = time.monotonic() + _END_SECONDS
        while not jupyter.call("GET", path)["ended_at"]:
            if time.monotonic() > deadline:
                raise DidNotStart(f"a session does not end within {_END_SECONDS:g} s")
            time.sleep(0.2)


def wait_until_running(jupyter: Jupyter, session_id: str, seconds: float = 60.0) -> dict[str, Any]:
    """The session's record once it runs.

    Raises
    ------
    DidNotStart
    """
    deadline = time.monotonic() + seconds
    while True:
        record: dict[str, Any] = jupyter.call("GET", f"/api/moonlight/sessions/{session_id}")
        if record["status"] == "running":
            return record
        if record["ended_at"] or time.monotonic() > deadline:
            raise DidNotStart(f"the session is {record['status']}: {record['reason']}")
        time.sleep(0.1)


@contextmanager
def three_ways(jupyter: Jupyter, directory: Path) -> Iterator[list[Desktop]]:
    """One session: direct to the streaming server, by jupyter-server-proxy, and by ours; and direct to
    a streaming server with none of our settings.

    A browser cannot open the session's Unix socket, so a second streaming server with the same
    flags serves the same display on a port of the loopback, and a third with its own. Only one has
    a client at a time.
    """
    with session(jupyter) as made:
        session_id = wait_until_running(jupyter, made["session_id"])["session_id"]
        host = _streaming_server(session_id)
        env = {**host.environ(), **_sound_of(session_id)}
        port, argv = free_port(), _begun_by_hand(host.cmdline(), "PULSE_SERVER" in env)
        at = argv.index("--unix-socket")
        argv[at : at + 2] = ["--addr", "127.0.0.1", "--port", str(port)]
        bare_port = free_port()
        bare_argv = [*argv[: argv.index("--addr")], "--addr", "127.0.0.1", "--port", str(bare_port)]
        bare_argv += ["--enable-basic-auth=false", "--enable-https=false"]
        with (
            Program("selkies", argv, directory, env) as second,
            Program("selkies-bare", bare_argv, directory, env) as bare,
        ):
            second.wait_until(lambda: answers(port), "does not answer")
            bare.wait_until(lambda: answers(bare_port), "does not answer")
            x = _x_server(env["DISPLAY"])
            there, agent = jupyter.program.process.pid, host.ppid()
            where = (env["DISPLAY"], env["XAUTHORITY"])
            own, other = (host.pid, x), (second.process.pid, x)
            path = f"/moonlight/sessions/{session_id}/desktop/"
            yield [
                Desktop("direct", f"http://127.0.0.1:{port}/", port, *where, (), other),
                Desktop(
                    "direct, selkies' own settings",
                    f"http://127.0.0.1:{bare_port}/",
                    bare_port,
                    *where,
                    (),
                    (bare.process.pid, x),
                ),
                Desktop(
                    "ours",
                    jupyter.url + path,
                    jupyter.port,
                    *where,
                    (there, agent),
                    own,
                    jupyter,
                ),
                Desktop(
                    _SERVER_PROXY,
                    f"{jupyter.url}/proxy/{port}/",
                    jupyter.port,
                    *where,
                    (there,),
                    other,
                    jupyter,
                ),
            ]


class Incumbent:
    """jupyter-remote-desktop-proxy in a Jupyter server: its X server starts at the first visit."""

    NAME = _INCUMBENT

    def __init__(self, directory: Path):
        self._told = directory / "incumbent-display"
        self._script = directory / "xstartup"
        package = Path(_package_directory("jupyter_remote_desktop_proxy"))
        self._script.write_text(
            "#!/bin/sh\n"
            f'printf "%s\\n" "$DISPLAY" "${{XAUTHORITY:-$HOME/.Xauthority}}" > "{self._told}.new"\n'
            f'mv "{self._told}.new" "{self._told}"\n'
            f'exec "{package}/share/xstartup"\n'
        )
        self._script.chmod(self._script.stat().st_mode | stat.S_IXUSR)
        self.env = {"JUPYTER_REMOTE_DESKTOP_PROXY_XSTARTUP": str(self._script)}

    @staticmethod
    def require() -> None:
        """Raises DidNotStart with what it lacks on this machine."""
        for program, package in _INCUMBENT_NEEDS.items():
            if shutil.which(program) is None:
                raise DidNotStart(f"no {program} (Debian: {package})")

    def url(self, jupyter: Jupyter) -> str:
        return f"{jupyter.url}/desktop/"

    def desktop(self, jupyter: Jupyter) -> Desktop:
        """The desktop, after the first visit."""
        display, xauthority = self._told.read_text().splitlines()
        there = jupyter.program.process.pid
        return Desktop(
            self.NAME,
            self.url(jupyter),
            jupyter.port,
            display,
            xauthority,
            (there,),
            (_x_server(display),),
            jupyter,
        )


def sent_bytes(port: int) -> int:
    """Bytes that the open connections of a listening port have sent so far, by the kernel's count."""
    argv = ["ss", "-tinH", "state", "established", f"sport = :{port}"]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return sum(int(n) for n in re.findall(r"\bbytes_sent:(\d+)", text))


def _streaming_server(session_id: str) -> psutil.Process:
    for process in _own_processes():
        with contextlib.suppress(psutil.Error):
            ours = process.environ().get("MOONLIGHT_SESSION") == session_id
            if ours and "--unix-socket" in process.cmdline():
                return process
    raise DidNotStart("the session runs, but its streaming server is not found")


def _begun_by_hand(argv: list[str], audio: bool) -> list[str]:
    """Its command without what begins it ahead, with what that is told later."""
    program = next(i for i, word in enumerate(argv) if Path(word).name == "selkies")
    return [*argv[program:], f"--audio-enabled={str(audio).lower()}"]


def _sound_of(session_id: str) -> dict[str, str]:
    """Where the programs of the desktop find its sound."""
    for process in _own_processes():
        with contextlib.suppress(psutil.Error):
            env = process.environ()
            if env.get("MOONLIGHT_SESSION") == session_id and "PULSE_SERVER" in env:
                return {name: env[name] for name in ("PULSE_SERVER", "PULSE_COOKIE")}
    return {}


def _x_server(display: str) -> int:
    for process in _own_processes():
        with contextlib.suppress(psutil.Error):
            if process.name() in ("Xvfb", "Xtigervnc", "Xvnc") and display in process.cmdline():
                return process.pid
    raise DidNotStart(f"no X server of ours serves display {display}")


def _own_processes() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == os.getuid():
                yield process


def _package_directory(name: str) -> str:
    from importlib.util import find_spec

    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise DidNotStart(f"the package {name} is not installed (extra: bench)")
    return os.path.dirname(spec.origin)
