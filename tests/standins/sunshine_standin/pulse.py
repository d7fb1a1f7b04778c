"""PulseAudio by its own tools, where the real one has libpulse. Errors are libpulse's words."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass

from . import knobs


@dataclass
class Sink:
    name: str
    module: str
    monitor: str


class PulseError(Exception):
    """In the words of ``pa_strerror``."""


def reachable() -> bool:
    """Whether something accepts at PULSE_SERVER, else at the place of the user's own."""
    if not knobs.on("AUDIO") or not shutil.which("pactl"):
        return False
    given = os.environ.get("PULSE_SERVER", "")
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    places = given.split() or ([f"{runtime}/pulse/native"] if runtime else [])
    for place in places:
        place = re.sub(r"^(\{.*\})?(unix:)?", "", place)
        family = socket.AF_UNIX if place.startswith("/") else socket.AF_INET
        host, _, port = place.removeprefix("tcp:").partition(":")
        with socket.socket(family) as sock, contextlib.suppress(OSError, ValueError):
            sock.connect(place if place.startswith("/") else (host, int(port or 4713)))
            return True
    return False


def is_tcp() -> bool:
    return os.environ.get("PULSE_SERVER", "").startswith("tcp:")


def ask(*words: str) -> str:
    """One command of ``pactl``; raises PulseError."""
    done = subprocess.run(["pactl", *words], env=_environment(), capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["Unknown error"]
        raise PulseError(said[0].rpartition(": ")[2])
    return done.stdout


def sinks() -> dict[str, Sink]:
    found = {}
    for block in ask("list", "sinks").split("\n\n"):
        fields = dict(re.findall(r"(?m)^\t(Name|Owner Module|Monitor Source): (.*)$", block))
        if "Name" in fields:
            sink = Sink(fields["Name"], fields["Owner Module"], fields["Monitor Source"])
            found[sink.name] = sink
    return found


def default_sink() -> str:
    found = re.search(r"(?m)^Default Sink: (.*)$", ask("info"))
    return found[1] if found else ""


def record(source: str, channels: int, milliseconds: int) -> subprocess.Popen[bytes]:
    """Samples as 32-bit floats, 48000 a second, in pieces of about that length."""
    words = ["parec", f"--device={source}", "--format=float32le", "--rate=48000"]
    words += [f"--channels={channels}", f"--latency-msec={milliseconds}"]
    return subprocess.Popen(
        [*words, "--client-name=sunshine", "--stream-name=sunshine-record"],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a thread of the real one: no signal for the group reaches it
    )


def last_words(recorder: subprocess.Popen[bytes]) -> str:
    """Why a recorder ended by itself."""
    assert recorder.stderr is not None
    said = recorder.stderr.read().decode(errors="replace").strip().splitlines() or ["Unknown error"]
    return said[0].rpartition(": ")[2]


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}
