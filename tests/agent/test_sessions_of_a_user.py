"""Sessions as a user has them from the command line, where the machine is its own batch system."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cluster.processes import Process, shown
from tests.cluster.users import TestUser, as_user
from tests.support.waiting import wait_until

from .desks import LocalDesk
from .sessions import settings


@pytest.fixture
def narrow(user: TestUser) -> Iterator[LocalDesk]:
    """One session at a time, launched from a server with a secret in its environment."""
    desk = LocalDesk(
        user,
        settings(user, local_sessions="1") | {"JUPYTERHUB_API_TOKEN": "hub-s3cret"},
    )
    yield desk
    desk.close()


def test_one_runs_the_next_one_waits_and_both_end_when_told(narrow: LocalDesk) -> None:
    first = narrow.create()
    first.wait_running()
    told = narrow.look(first)
    assert (told["status"], told["display_num"]) == ("running", first.status.display_num)
    assert told["started_at"] and told["ends_at"] and told["node"]

    second = narrow.create()
    waiting = narrow.look(second)
    assert (waiting["status"], waiting["reason_code"]) == ("pending", "LocalSlots")
    assert waiting["queue"]["position"] == waiting["queue"]["pending"] == 1
    assert "1 of your sessions at once" in waiting["queue"]["message"]

    for pid in first.processes():
        assert b"s3cret" not in shown(pid, "environ")

    runner = Process.of(second.runner_pid)
    narrow.run("stop", second.id, "--wait")
    told = narrow.look(second)
    assert (told["status"], told["reason_code"]) == ("cancelled", "StoppedByUser")
    assert told["started_at"] is None
    assert not runner.alive(), "nobody writes into the session's directory any more"
    assert not (second.directory / "status.json").exists(), "it never ran"
    assert narrow.look(first)["status"] == "running"

    runner = Process.of(first.runner_pid)
    narrow.run("stop", first.id, "--wait")
    assert not runner.alive()
    told = narrow.look(first)
    assert (told["status"], told["reason_code"]) == ("cancelled", "StoppedByUser")
    first.assert_nothing_left()


def test_a_session_that_is_stopped_at_once_is_stopped(desk: LocalDesk) -> None:
    session = desk.create()
    desk.run("stop", session.id, "--wait")
    told = desk.look(session)
    assert (told["status"], told["reason_code"]) == ("cancelled", "StoppedByUser")
    session.assert_nothing_left()


@pytest.mark.parametrize("untimely", [False, True])
def test_a_desktop_outside_of_any_job_lasts_as_long_as_the_command(
    desk: LocalDesk, untimely: bool
) -> None:
    """Where there is no batch system `moonlight-hpc here` waits for its session, and ends it, also
    when it is told so in the very moment in which the session begins."""
    argv = [sys.executable, "-m", "moonlight_spawner", "here", "--json", "--door", "ood"]
    argv += ["--name", "유동 해석 3"]
    options = as_user(desk.user, desk.env)
    before = desk.on_record()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, **options) as here:
        assert here.stdout
        if untimely:
            assert wait_until(lambda: desk.on_record() != before, interval=0.002)
            here.send_signal(signal.SIGTERM)
        told = json.loads(here.stdout.readline())
        session = desk.adopt(told["session_id"])
        assert (told["door"], told["way"], told["allocation"]) == ("ood", "job", None)
        assert told["name"] == "유동 해석 3"
        if not untimely:
            here.send_signal(signal.SIGTERM)
    assert here.returncode == 0
    told = desk.look(session)
    assert (told["status"], told["reason_code"]) == ("cancelled", "StoppedByUser")
    session.assert_nothing_left()


def test_a_start_that_fails_says_why_where_the_user_looks(user: TestUser) -> None:
    desk = LocalDesk(user, settings(user, gateway_address="203.0.113.0/24"))
    try:
        session = desk.create()
        told = desk.wait(session, lambda s: s["ended_at"])
        assert (told["status"], told["reason_code"]) == ("failed", "NoSuchAddress")
        assert "203.0.113.0/24" in told["reason"]
        assert [s["state"] for s in told["steps"]].count("failed") == 1
        session.assert_nothing_left()
    finally:
        desk.close()
