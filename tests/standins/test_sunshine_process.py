"""Command line, environment, files, streams that end, applications that stay."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.waiting import PATIENCE, wait_for

from .client import Client, GameStreamError
from .client_stream import Stream
from .sunshine_install import install
from .sunshine_running import PROGRAM, Sunshine, sunshine
from .sunshine_standin import knobs


def _started(client: Client, title: str = "Desktop") -> Stream:
    number = next(app.id for app in client.apps() if app.title == title)
    stream = Stream(client.launch(number))
    stream.start()
    assert stream.first.wait(PATIENCE)
    return stream


def _paired(host: Sunshine) -> Client:
    client = host.client()
    host.pair(client)
    return client


def test_version(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run([PROGRAM, "--version"], env=env, capture_output=True, text=True)
    assert done.returncode == 0
    assert "Info: Sunshine version: 2026.817.185037 commit: local" in done.stdout


def test_the_log_begins_as_recorded(tmp_path: Path) -> None:
    """no-display.txt"""
    with sunshine(tmp_path, frobnicate="1") as host:
        said = [line.split("]: ", 1)[1] for line in host.log.read_text().splitlines()]
        assert said[:4] == [
            "Info: Sunshine version: 2026.817.185037 commit: local",
            "Info: Package Publisher: Third Party Publisher",
            "Info: Publisher Website: ",
            "Info: Get support: https://app.lizardbyte.dev/support",
        ]
        assert f"Info: config: 'port' = {host.base}" in said
        web = f"Info: Configuration UI available at [https://127.0.0.1:{host.base + 1}]"
        assert said[-1] == web or web in said
        assert "Warning: Unrecognized configurable option [frobnicate]" in host.output


def test_words_override_the_file(tmp_path: Path) -> None:
    with sunshine(tmp_path) as host:
        assert host.term() == 0
        host.start("sunshine_name=other", f"port = {host.base}")
        host.ready()
        assert host.client().serverinfo()["hostname"] == "other"


def test_a_missing_file_means_defaults(tmp_path: Path) -> None:
    """sunshine.md: 0.0.0.0:47989 without credentials; the file is made."""
    with sunshine(tmp_path) as host:
        assert host.term() == 0
        host.conf = tmp_path / "missing.conf"
        host.log.unlink()
        # In the place of Sunshine's own, which another test's session may have.
        host.environment["STANDIN_SUNSHINE_DEFAULT_PORT"] = str(host.base)
        host.start("port=70000", f"log_path={host.log}")
        wait_for(lambda: "Configuration UI available" in host.output)
        assert host.lines(f"Configuration UI available at [https://localhost:{host.base + 1}]")
        assert host.conf.read_text() == ""
        assert (tmp_path / ".config" / "sunshine" / "apps.json").exists()
    assert knobs.text("DEFAULT_PORT") == "47989"


@pytest.mark.parametrize(
    "change",
    [
        {"HOME": "FILE"},
        {"HOME": "FILE", "XDG_CONFIG_HOME": "DIR"},
        {"HOME": "FILE", "CONFIGURATION_DIRECTORY": "DIR"},
    ],
)
def test_a_home_that_cannot_be_written_ends_it_with_0(
    tmp_path: Path, change: dict[str, str]
) -> None:
    """env-failures.txt; below a regular file nothing can be made, not even by root."""
    (tmp_path / "file").touch()
    names = {"FILE": str(tmp_path / "file" / "home"), "DIR": str(tmp_path / "config")}
    environment = {k: names[v] for k, v in change.items()}
    with sunshine(tmp_path / "run", environment=environment, start=len(change) > 1) as host:
        if len(change) > 1:
            assert (tmp_path / "config" / "sunshine").is_dir()
            assert host.term() == 0
        else:
            assert host.process.wait(PATIENCE) == 0
            assert "Failed to apply config: filesystem error: cannot create dire" in host.output


@pytest.mark.parametrize("key", ["pkey", "file_state", "log_path"])
def test_a_path_that_cannot_be_made_ends_it_with_0(tmp_path: Path, key: str) -> None:
    """env-failures.txt: pkey, state and log below something that is no directory"""
    (tmp_path / "file").touch()
    config: dict[str, Any] = {key: str(tmp_path / "file/x/y")}
    with sunshine(tmp_path / "run", start=False, **config) as host:
        assert host.process.wait(PATIENCE) == 0


def test_broken_apps_are_logged(tmp_path: Path) -> None:
    """env-failures.txt bad apps.json"""
    with sunshine(tmp_path, apps="{apps}") as host:
        assert host.lines(f"Error: {tmp_path}/apps.json(1): expected key string")


def test_term_under_a_stream(tmp_path: Path) -> None:
    """stream-lifecycle.txt: rc 0 in 0.3 s, the client is told 0x80030023; ports free at once"""
    environment = {"STANDIN_SUNSHINE_TERM_HANG": "never"}
    with sunshine(tmp_path, environment=environment) as host:
        stream = _started(_paired(host))
        assert host.term() == 0
        assert stream.ended.wait(PATIENCE)
        assert stream.reason == 0x80030023
        host.start()
        host.ready()


def test_a_client_vanishes_and_comes_back(tmp_path: Path) -> None:
    """stream-lifecycle.txt: noticed after 5.7 s, the application stays and is resumed"""
    with sunshine(tmp_path) as host:
        client = _paired(host)
        _started(client).stop()
        wait_for(lambda: host.lines("CLIENT DISCONNECTED"))
        info = client.serverinfo()
        assert (info["currentgame"], info["state"]) == ("958645192", "SUNSHINE_SERVER_BUSY")
        with pytest.raises(GameStreamError, match="An app is already running on this host"):
            client.launch(958645192)
        again = Stream(client.resume(958645192))
        again.start()
        assert again.first.wait(PATIENCE)
        assert host.post("/api/apps/close").json == {"status": True}
        assert again.ended.wait(PATIENCE)
        assert client.serverinfo()["state"] == "SUNSHINE_SERVER_FREE"


def test_disabling_ends_a_stream_and_unpairing_does_not(tmp_path: Path) -> None:
    """stream-lifecycle.txt"""
    with sunshine(tmp_path) as host:
        client = _paired(host)
        other = _paired(host)
        stream = _started(client)
        first, second = (c["uuid"] for c in host.clients())
        assert host.post("/api/clients/unpair", {"uuid": first}).json == {"status": True}
        assert not stream.ended.wait(0.5)
        with pytest.raises(GameStreamError):
            client.apps()
        stream.stop()
        joined = Stream(other.resume(958645192))
        joined.start()
        assert joined.first.wait(PATIENCE)
        host.post("/api/clients/update", {"uuid": second, "enabled": False})
        assert joined.ended.wait(PATIENCE)


def test_an_application_survives_kill(tmp_path: Path) -> None:
    """sunshine.md: an orphan; even a KILL of the group misses it (it has one of its own)."""
    with sunshine(tmp_path) as host:
        stream = _started(_paired(host), "Sleeper")
        (child,) = psutil.Process(host.process.pid).children()
        try:
            assert child.cmdline() == ["sleep", "321"]
            os.killpg(host.process.pid, signal.SIGKILL)
            assert host.process.wait(PATIENCE) == -9
            assert child.is_running() and child.ppid() != host.process.pid
        finally:
            child.kill()
            stream.stop()


def test_term_ends_the_application(tmp_path: Path) -> None:
    environment = {"STANDIN_SUNSHINE_TERM_HANG": "never"}
    with sunshine(tmp_path, environment=environment) as host:
        stream = _started(_paired(host), "Sleeper")
        (child,) = psutil.Process(host.process.pid).children()
        assert host.term() == 0
        stream.stop()
        with contextlib.suppress(psutil.NoSuchProcess):
            assert child.status() == psutil.STATUS_ZOMBIE


def test_installed_it_runs_for_another_user_with_knobs(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """In a folder that everybody may read, with the interpreter written into the wrapper."""
    opened = Path(tempfile.mkdtemp())
    request.addfinalizer(lambda: shutil.rmtree(opened))
    opened.chmod(0o755)
    programs = install(opened / "opt", sys.executable, {"NVENC": "1"})
    home = opened / "home"
    home.mkdir()
    user = None
    if os.geteuid() == 0:
        user = "nobody"
        os.chown(home, pwd.getpwnam(user).pw_uid, -1)
    with sunshine(tmp_path / "probe") as probe:
        base = probe.base
        assert probe.term() == 0
    words = [f"port={base}", "bind_address=127.0.0.1", f"log_path={home}/log"]
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "STANDIN_SUNSHINE_DISPLAY": "present"}
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            [programs / "sunshine", home / "sunshine.conf", *words],
            env=env,
            user=user,
            stdout=out,
            stderr=out,
        )
    try:
        log = home / "log"
        wait_for(lambda: log.exists() and "Configuration UI available" in log.read_text())
        assert "Found H.264 encoder: h264_nvenc [nvenc]" in log.read_text()
    finally:
        process.kill()
        process.wait()
