"""With a real X server and its Xauthority, without one, and when it dies."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE

from .client import GameStreamError
from .client_stream import Stream
from .sunshine_running import sunshine

_NO_DISPLAY = "503: Failed to initialize video capture/encoding. Is a display connected"


class X:
    """Xvfb with a cookie."""

    def __init__(self, folder: Path):
        self.authority = folder / "Xauthority"
        self.authority.touch()
        read, write = os.pipe()
        words = ["Xvfb", "-displayfd", str(write), "-auth", str(self.authority), "-nolisten", "tcp"]
        self._cookie = secrets.token_hex(16)
        self._add(":99")
        with (folder / "xvfb").open("wb") as out:
            self.process = subprocess.Popen(words, pass_fds=[write], stdout=out, stderr=out)
        os.close(write)
        with os.fdopen(read) as pipe:
            self.display = ":" + pipe.readline().strip()
        self._add(self.display)

    def _add(self, display: str) -> None:
        words = ["xauth", "-f", str(self.authority), "add", display, ".", self._cookie]
        subprocess.run(words, check=True, capture_output=True)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "STANDIN_SUNSHINE_DISPLAY": "x11",
            "DISPLAY": self.display,
            "XAUTHORITY": str(self.authority),
        }

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def x(tmp_path: Path) -> Iterator[X]:
    server = X(tmp_path)
    yield server
    server.kill()


@pytest.mark.parametrize("display", ["", ":77"])
def test_no_display(tmp_path: Path, display: str) -> None:
    """no-display.txt, env-failures.txt: the API looks healthy, nothing can be launched."""
    environment = {"STANDIN_SUNSHINE_DISPLAY": "x11", "DISPLAY": display}
    with sunshine(tmp_path, environment=environment, encoder="software") as host:
        client = host.client()
        assert client.serverinfo()["ServerCodecModeSupport"] == "1"
        host.pair(client)
        with pytest.raises(GameStreamError, match=_NO_DISPLAY):
            client.launch(client.apps()[0].id)
        assert client.serverinfo()["state"] == "SUNSHINE_SERVER_FREE"
        said = [line.split("]: ", 1)[1] for line in host.log.read_text().splitlines()]
        start = said.index("Info: Trying encoder [software]")
        assert said[start : start + 10] == [
            "Info: Trying encoder [software]",
            "Info: Encoder [software] failed",
            "Error: Couldn't find any working encoder matching [software]",
            "Info: // Testing for available encoders, this may generate errors. "
            "You can safely ignore those errors. //",
            "Info: Trying encoder [nvenc]",
            "Info: Encoder [nvenc] failed",
            "Info: Trying encoder [vaapi]",
            "Info: Encoder [vaapi] failed",
            "Fatal: Unable to find display or encoder during startup.",
            "Fatal: Please check that a display is connected and powered on.",
        ]
        assert "Error: Unable to initialize capture method" in said
        assert "Error: Video failed to find working encoder" in said


def test_the_cookie_is_needed(tmp_path: Path, x: X) -> None:
    environment = {**x.environment, "XAUTHORITY": str(tmp_path / "nothing")}
    with sunshine(tmp_path, environment=environment) as host:
        assert host.lines("Unable to initialize capture method")


def test_x_that_comes_late_is_never_seen(tmp_path: Path) -> None:
    """x-late.txt"""
    (tmp_path / "x").mkdir()
    x = X(tmp_path / "x")
    x.kill()
    with sunshine(tmp_path, environment=x.environment) as host:
        client = host.client()
        host.pair(client)
        words = ["Xvfb", x.display, "-auth", str(x.authority), "-displayfd", "1"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as late:
            assert late.stdout and late.stdout.readline()
            with pytest.raises(GameStreamError, match=_NO_DISPLAY):
                client.launch(client.apps()[0].id)
            late.kill()


def test_x_dies_under_a_stream(tmp_path: Path, x: X) -> None:
    """x-server-death.txt: -6"""
    with sunshine(tmp_path, environment=x.environment) as host:
        client = host.client()
        host.pair(client)
        stream = Stream(client.launch(client.apps()[0].id))
        stream.start()
        assert stream.first.wait(PATIENCE)
        x.kill()
        assert host.process.wait(PATIENCE) == -6
        assert host.lines("Error: Could not get image reply")
        stream.stop()


def test_x_dies_while_idle(tmp_path: Path, x: X) -> None:
    """x-server-death.txt: rc None, api 200, and nothing starts"""
    with sunshine(tmp_path, environment=x.environment) as host:
        client = host.client()
        host.pair(client)
        x.kill()
        assert host.get("/api/configLocale").status == 200
        with pytest.raises(GameStreamError, match=_NO_DISPLAY):
            client.launch(client.apps()[0].id)
        assert client.serverinfo()["state"] == "SUNSHINE_SERVER_FREE"
