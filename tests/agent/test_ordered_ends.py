"""A session ends as its owner, its batch system or its programs want it to."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import pytest
from moonlight_spawner.session import State

from tests.cluster.processes import Process
from tests.cluster.users import run_as
from tests.support.waiting import wait_until

from .conftest import Launch
from .desks import DAEMON, start_in_desktop
from .sessions import AgentSession


def wait_for_another(session: AgentSession, name: str, old: int) -> Process:
    """Wait until another process has taken the place of the one that was killed."""

    def there() -> bool:
        with contextlib.suppress(AssertionError):
            return session.find(name) != old
        return False

    assert wait_until(there, interval=0.1), session.processes()
    return Process.of(session.find(name))


def test_term_ends_everything_soon(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    daemon = start_in_desktop(session, DAEMON)
    began = time.monotonic()
    session.process.terminate()
    assert session.wait_exit() == 0
    assert time.monotonic() - began < 30, "Slurm kills 30 s after TERM"
    status = session.status
    assert status.phase == "ended"
    assert status.end and (status.end.state, status.end.code) == (
        State.CANCELLED,
        "CancelledOutside",
    )
    assert not daemon.alive()
    session.assert_nothing_left()


def test_term_while_it_starts(launch: Launch) -> None:
    session = launch()
    session.wait(lambda s: s.steps[2].started_at)
    session.process.terminate()
    assert session.wait_exit() == 0
    end = session.status.end
    assert end and end.state is State.CANCELLED
    session.assert_nothing_left()


@pytest.mark.parametrize(
    ("seconds_left", "end"),
    [
        (92, (State.TIMEOUT, "TimeLimit")),  # seen: Slurm's TERM@60 came 92 s before the limit
        (300, (State.CANCELLED, "CancelledOutside")),
    ],
)
def test_term_shortly_before_the_limit_is_the_limits(
    seconds_left: int, end: tuple[State, str], launch: Launch
) -> None:
    session = launch(job={"SLURM_JOB_END_TIME": str(int(time.time()) + seconds_left)})
    session.wait_running()
    session.process.terminate()
    session.wait_exit()
    found = session.status.end
    assert found and (found.state, found.code) == end, session.log()


def test_a_stop_in_the_first_moment_is_the_users(launch: Launch) -> None:
    """TERM may come before the agent listens to signals; his word is on record all the same."""
    session = launch()
    session.ask_to_stop()
    assert wait_until(lambda: has_child(session.process.pid), interval=0.001)
    session.process.terminate()
    session.wait_exit()
    end = session.status.end
    assert end and (end.state, end.code) == (State.CANCELLED, "StoppedByUser")
    session.assert_nothing_left()


def has_child(pid: int) -> bool:
    return bool(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def test_the_users_word_in_the_directory_is_enough(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    session.ask_to_stop()
    assert session.wait_exit() == 0
    end = session.status.end
    assert end and (end.state, end.code) == (State.CANCELLED, "StoppedByUser")
    session.assert_nothing_left()


def test_the_user_logs_out(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    logout = ["xfce4-session-logout", "--logout", "--fast"]
    run_as(session.user, logout, env=session.desktop_environment(), check=True)
    assert session.wait_exit() == 0
    end = session.status.end
    assert end and (end.state, end.code) == (State.COMPLETED, "LoggedOut"), session.log("desktop")
    session.assert_nothing_left()


def test_the_x_server_is_killed(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    Process.of(session.find("Xvfb")).signal(signal.SIGKILL)
    assert session.wait_exit() == 1
    end = session.status.end
    assert end and (end.state, end.code) == (State.FAILED, "XServerEnded")
    assert "X server" in end.reason
    session.assert_nothing_left()


def test_a_killed_stream_comes_back_three_times_and_then_the_session_ends(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    stream = Process.of(session.find("selkies"))
    for attempt in range(3):
        assert len(session.first_frame()) > 100
        stream.signal(signal.SIGKILL)
        stream = wait_for_another(session, "selkies", stream.pid)
        wait_until(lambda: session.ask("/", session.token).status == 200, interval=0.2)
        assert session.status.phase == "running", attempt
    assert len(session.first_frame()) > 100
    assert any("stream ended (signal 9)" in note for note in session.status.notes)
    stream.signal(signal.SIGKILL)
    assert session.wait_exit() == 1
    end = session.status.end
    assert end and (end.state, end.code) == (State.FAILED, "StreamEnded")
    assert "4 times" in end.reason
    session.assert_nothing_left()


def test_a_crashed_desktop_comes_back_with_its_windows_gone(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    desktop = Process.of(session.find("xfce4-session"))
    x = Process.of(session.find("Xvfb"))
    desktop.signal(signal.SIGKILL)
    wait_for_another(session, "xfce4-session", desktop.pid)
    session.wait(lambda s: any("desktop ended" in note for note in s.notes))
    assert any("desktop ended (signal 9)" in note for note in session.status.notes)
    assert x.alive() and session.status.phase == "running"
    assert len(session.first_frame()) > 100


def test_many_daemons_that_hold_on_are_gone_too(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    swarm = "for i in 1 2 3 4 5 6 7 8; do setsid sleep 7431 & done; trap '' TERM; exec sleep 7431"
    start_in_desktop(session, swarm)
    assert wait_until(lambda: sum(c == "sleep 7431" for c in session.processes().values()) == 9)
    session.process.terminate()
    session.wait_exit()
    session.assert_nothing_left()
