"""A node that refuses what a session needs first, and a shared disk that fails for a moment."""

from __future__ import annotations

import os
import shutil
import sys
import time

import pytest
from moonlight_spawner.session import State

from tests.cluster.users import TestUser, run_as
from tests.support.waiting import STILL

from .conftest import Launch
from .sessions import DeskSession, prepare

AGENT = [sys.executable, "-m", "moonlight_spawner", "agent"]


def test_a_tmpdir_that_is_not_there_stops_nobody(launch: Launch) -> None:
    session = launch(job={"TMPDIR": "/nonexistent/of-the-job"})
    session.wait_running()
    environment = session.desktop_environment()
    assert "TMPDIR" not in environment, "programs of the desktop would fail on it"
    assert environment["XAUTHORITY"].startswith("/tmp/moonlight-")
    assert "/nonexistent/of-the-job" in session.log()
    session.ask_to_stop()
    assert session.wait_exit() == 0
    session.assert_nothing_left()


def test_a_tmpdir_that_can_be_used_is_used(launch: Launch, user: TestUser) -> None:
    place = user.home / "tmp"
    place.mkdir()
    os.chown(place, user.uid, user.gid)
    session = launch(job={"TMPDIR": str(place)})
    session.wait_running()
    environment = session.desktop_environment()
    assert environment["TMPDIR"] == str(place)
    assert environment["XAUTHORITY"].startswith(f"{place}/moonlight-")
    session.ask_to_stop()
    assert session.wait_exit() == 0
    assert list(place.glob("moonlight-*")) == []
    shutil.rmtree(place)


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
