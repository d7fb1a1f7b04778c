"""What the user hears and types on: a PulseAudio of the session's own, a keyboard layout."""

from __future__ import annotations

import math
import os
import signal
import struct
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.users import TestUser, run_as
from tests.support.waiting import PATIENCE, wait_until

from .conftest import Launch
from .sessions import AgentSession, settings


@pytest.fixture
def tone(user: TestUser) -> Iterator[Path]:
    """A minute of 440 Hz."""
    path = user.home / "tone.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(48000)
        samples = (int(20000 * math.sin(2 * math.pi * 440 * i / 48000)) for i in range(48_000))
        sound.writeframes(60 * b"".join(struct.pack("<h", s) for s in samples))
    path.chmod(0o644)
    yield path
    path.unlink()


# Of parec, unless it is told otherwise: 44,100 Hz, two channels, two bytes.
_BYTES_A_SECOND = 176_400


def loudest(session: AgentSession, seconds: str = "1") -> int:
    """The loudest sample that a streaming host hears for a moment."""
    # A sink that nobody has listened to wakes every two seconds, so what is heard counts, not the time.
    listen = ["timeout", str(PATIENCE), "parec", "--device=output.monitor", "--format=s16le"]
    with subprocess.Popen(
        ["setpriv", f"--reuid={session.user.uid}", "--clear-groups", *listen],
        env=session.desktop_environment(),
        stdout=subprocess.PIPE,
    ) as recorder:
        assert recorder.stdout
        data = recorder.stdout.read(int(float(seconds) * _BYTES_A_SECOND))
        recorder.terminate()
    assert data
    data = data[: len(data) // 2 * 2]
    return max(abs(s) for (s,) in struct.iter_unpack("<h", data))


def test_what_the_desktop_plays_is_heard_by_the_host_and_by_nobody_else(
    launch: Launch, stranger: TestUser, tone: Path
) -> None:
    session = launch()
    assert session.wait_running().audio is True
    assert loudest(session) == 0
    env = session.desktop_environment()
    player = subprocess.Popen(
        ["setpriv", f"--reuid={session.user.uid}", "--clear-groups", "paplay", str(tone)],
        env=env,
        stdout=subprocess.DEVNULL,
    )
    try:
        assert wait_until(lambda: loudest(session) > 10_000)
    finally:
        player.kill()
        player.wait()
    socket = env["PULSE_SERVER"].removeprefix("unix:")
    assert Path(socket).parent.stat().st_mode & 0o777 == 0o700
    curious = run_as(stranger, ["pactl", "--server", socket, "info"])
    assert curious.returncode != 0 and "Server Name" not in curious.stdout
    before = session.user.home / ".config/pulse"
    assert not before.exists(), "a cookie in the home would be shared by sessions of other nodes"


def test_a_sound_server_that_ends_is_started_again_once_and_the_desktop_stays(
    launch: Launch,
) -> None:
    session = launch()
    session.wait_running()
    first = session.find("pulseaudio")
    desktop = session.find("xfwm4")
    os.kill(first, signal.SIGKILL)
    session.wait(lambda s: any("sound server ended and runs again" in n for n in s.notes))
    second = session.find("pulseaudio")
    assert second != first
    os.kill(second, signal.SIGKILL)
    status = session.wait(lambda s: s.audio is False)
    assert any("no sound any more" in note for note in status.notes)
    assert status.end is None and session.find("xfwm4") == desktop
    assert len(session.first_frame()) > 100


def test_without_a_sound_server_the_session_is_silent_and_says_so(launch: Launch) -> None:
    session = launch(hidden=["pulseaudio"])
    status = session.wait_running()
    assert status.audio is False
    assert "The desktop is silent: PulseAudio is not installed on the node." in status.notes
    assert "PULSE_SERVER" not in session.desktop_environment()


def test_a_site_may_want_no_sound(launch: Launch, user: TestUser) -> None:
    session = launch(env=settings(user, audio="false"))
    status = session.wait_running()
    assert status.audio is False and not any("silent" in note for note in status.notes)
    assert not any("pulseaudio" in command for command in session.processes().values())


def layout(session: AgentSession) -> dict[str, str]:
    done = subprocess.run(
        ["setpriv", f"--reuid={session.user.uid}", "--clear-groups", "setxkbmap", "-query"],
        env=session.desktop_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.partition(":") for line in done.stdout.splitlines()]
    return {name: value.strip() for name, _, value in lines}


@pytest.mark.parametrize(
    ("asked", "found"), [("kr", ("kr", None)), ("de(nodeadkeys)", ("de", "nodeadkeys"))]
)
def test_the_keyboard_has_the_layout_that_was_asked_for(
    launch: Launch, user: TestUser, asked: str, found: tuple[str, str | None]
) -> None:
    session = launch(
        body={"keyboard": asked}, env=settings(user, keyboards='["kr", "de(nodeadkeys)"]')
    )
    status = session.wait_running()
    told = layout(session)
    assert (told["layout"], told.get("variant")) == found
    assert not any("keyboard" in note for note in status.notes)
    assert session.desktop_environment()["MOONLIGHT_KEYBOARD"] == asked


def test_a_layout_that_cannot_be_set_is_told(launch: Launch, user: TestUser) -> None:
    session = launch(body={"keyboard": "zz"}, env=settings(user, keyboards='["zz"]'))
    notes = session.wait_running().notes
    assert any("layout zz could not be set" in note for note in notes), notes
    assert layout(session)["layout"] == "us"
