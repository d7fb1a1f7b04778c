"""A node that refuses what a session needs first, and a shared disk that fails for a moment."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.model.session import State

from tests.cluster.users import TestUser, run_as
from tests.support.waiting import STILL

from .conftest import Launch
from .sessions import DeskSession, prepare

AGENT = [sys.executable, "-m", "moonlight_spawner", "agent"]


@pytest.mark.parametrize("name", ["/nonexistent/of-the-job", "relative"])
def test_a_tmpdir_that_cannot_be_used_stops_nobody(launch: Launch, name: str) -> None:
    session = launch(job={"TMPDIR": name})
    session.wait_running()
    assert f"TMPDIR, {name}, cannot be used here" in session.log()
    environment = session.desktop_environment()
    assert environment["TMPDIR"].startswith("/tmp/moonlight-")
    assert not Path(environment["TMPDIR"]).is_symlink()
    session.ask_to_stop()
    assert session.wait_exit() == 0
    session.assert_nothing_left()


@pytest.fixture
def disk() -> Iterator[Path]:
    """A disk of the node where each job has a directory."""
    with tempfile.TemporaryDirectory(prefix="mlt-disk-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("name", ["job.4711", "x" * 90, "a b", "a;b:c,d'e"])
def test_what_the_desktop_writes_goes_below_the_jobs_tmpdir(
    launch: Launch, user: TestUser, disk: Path, name: str
) -> None:
    """Whatever that is called: sockets have room for 107 bytes, D-Bus and PulseAudio none for signs."""
    place = disk / name
    place.mkdir()
    os.chown(place, user.uid, user.gid)
    session = launch(job={"TMPDIR": str(place)})
    session.wait_running()
    for program, umask in (("xfwm4", "0022"), ("dbus-daemon", "0022"), ("Xvfb", "0077")):
        told = Path(f"/proc/{session.find(program)}/status").read_text()
        assert f"Umask:\t{umask}\n" in told, "the user's for what is his, and ours for what is ours"
    environment = session.desktop_environment()
    temporary = Path(environment["TMPDIR"])
    assert temporary.parent == Path(environment["XAUTHORITY"]).parent
    assert len(str(temporary)) < 30, "a socket has room in it"
    run_as(user, ["touch", str(temporary / "large")], check=True)
    (large,) = place.glob("moonlight-*/large")
    assert large.parent.stat().st_mode & 0o777 == 0o700
    session.ask_to_stop()
    assert session.wait_exit() == 0
    assert list(place.iterdir()) == []
    session.assert_nothing_left()


def test_a_node_that_allows_no_process_more_says_so(launch: Launch) -> None:
    session = launch(argv=["prlimit", "--nproc=1", *AGENT])
    assert session.wait_exit() == 1
    end = session.status.end
    assert end and (end.state, end.code) == (State.FAILED, "StartFailed"), session.log()
    assert "Resource temporarily unavailable" in end.reason
    assert os.uname().nodename in end.reason and "Errno" not in end.reason
    assert "Traceback" not in session.log()
    session.assert_nothing_left()


@pytest.mark.parametrize("name", ["token", "spec.json"])
def test_a_session_that_is_not_the_users_own_says_so(user: TestUser, name: str) -> None:
    session = DeskSession(user, prepare(user))
    (session.directory / name).rename(session.directory / "elsewhere")
    (session.directory / name).symlink_to("elsewhere")
    done = run_as(user, [*AGENT, str(session.directory)])
    assert done.returncode == 1
    end = session.status.end
    assert end and (end.state, end.code) == (State.FAILED, "StartFailed")
    assert str(session.directory / name) in end.reason and "not yours" in end.reason
    assert "Traceback" not in done.stderr and end.reason in done.stderr
    session.assert_nothing_left()


def test_a_directory_that_the_node_does_not_have_is_named(user: TestUser) -> None:
    done = run_as(user, [*AGENT, "/nonexistent/ml-x-abcdefghij"])
    assert done.returncode == 1
    assert "No such file or directory (/nonexistent/ml-x-abcdefghij)" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_disk_that_fails_for_a_moment_does_not_make_the_agent_deaf(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    word = session.directory / "stop.json"
    word.mkdir()  # reading it fails as it does on a shared file system that is away
    time.sleep(3 * STILL)  # the agent looks each second
    word.rmdir()
    assert session.status.phase == "running"
    session.ask_to_stop()
    assert session.wait_exit() == 0
    end = session.status.end
    assert end and (end.state, end.code) == (State.CANCELLED, "StoppedByUser")
    session.assert_nothing_left()
