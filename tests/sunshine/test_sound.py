"""What a program in the desktop plays arrives in the browser, through every part of the way."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.cli import UserCli
from tests.support.gateway import SessionGateway

DESKTOP_APP = 958645192
LOUD = 2000


def environment_of(session_id: str, name: str) -> dict[str, str]:
    """The environment of one of the session's programs."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            if environment.get("MOONLIGHT_SESSION") == session_id and process.name() == name:
                return environment
        except psutil.Error:
            continue
    raise AssertionError(f"{session_id} runs no {name}")


@contextmanager
def noise(alice: UserCli, environment: dict[str, str]) -> Iterator[None]:
    """Played by a program of the user's until the end of the block."""
    with Path("/dev/urandom").open("rb") as noise:
        player = subprocess.Popen(
            [
                "setpriv",
                f"--reuid={alice.user.uid}",
                "--clear-groups",
                *("pacat", "--playback", "--format=s16le", "--rate=48000", "--channels=2"),
            ],
            stdin=noise,
            env=environment,
        )
        try:
            yield
        finally:
            player.kill()
            player.wait()


def test_the_browser_hears_what_the_desktop_plays(alice: UserCli) -> None:
    session = alice.wait(alice.create()["session_id"], "running")
    assert session["audio"] is True
    gateway = SessionGateway(alice, session)
    environment = environment_of(session["session_id"], "xfwm4")
    sounds = gateway.sounds("/signaling", DESKTOP_APP)
    assert next(sounds) < LOUD, "nothing plays yet"
    with noise(alice, environment):
        assert any(peak > LOUD for peak in sounds)
    sounds.close()


def test_without_a_sound_server_the_picture_comes_all_the_same(alice: UserCli) -> None:
    session = alice.wait(
        alice.create(env={"MOONLIGHT_HPC_AUDIO": "false"})["session_id"], "running"
    )
    assert session["audio"] is False
    assert SessionGateway(alice, session).video("/signaling", DESKTOP_APP, 5) == 5
