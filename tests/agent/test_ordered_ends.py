"""A session ends as its owner, its batch system or its programs want it to."""

from __future__ import annotations

import signal
import sys
import time

from moonlight_spawner.model.records import END_RESERVE
from moonlight_spawner.model.session import State, from_epoch, now

from tests.cluster.processes import Process
from tests.cluster.users import run_as
from tests.support.waiting import wait_for, wait_until

from .conftest import Launch
from .desks import DAEMON, start_in_desktop
from .sessions import AgentSession


def wait_for_another(session: AgentSession, name: str, old: int) -> Process:
    """Wait until another process has taken the place of the one that was killed."""

    return Process.of(wait_for(lambda: pid if (pid := session.find(name)) != old else 0))


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
        "EndedOutside",
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


def test_term_long_before_the_limit_is_somebody_elses(launch: Launch) -> None:
    """Slurm's own warning used to come up to 105 s before the limit, and looked the same."""
    session = launch(job={"SLURM_JOB_END_TIME": str(int(time.time()) + 300)})
    session.wait(lambda s: s.display_num)
    session.process.terminate()
    session.wait_exit()
    end = session.status.end
    assert end and (end.state, end.code) == (State.CANCELLED, "EndedOutside"), session.log()


def test_a_session_ends_itself_before_its_jobs_limit(launch: Launch) -> None:
    job_ends = int(time.time()) + 32  # 20 of them are kept for the end
    session = launch(job={"SLURM_JOB_END_TIME": str(job_ends)})
    assert session.wait_exit() == 0
    status = session.status
    assert status.ends_at and status.ends_at + END_RESERVE == from_epoch(job_ends)
    end = status.end
    assert end and (end.state, end.code) == (State.TIMEOUT, "TimeLimit"), session.log()
    assert "time limit of" in end.reason and end.ended_at >= status.ends_at
    session.assert_nothing_left()


# An agent that does not see that its time is up.
SLOW = """
import asyncio, sys
from moonlight_spawner.agent.deadline import Deadline
from moonlight_spawner.cli.main import main
async def passes(deadline):
    await asyncio.Event().wait()
assert Deadline.passes
Deadline.passes = passes
sys.exit(main(["agent", sys.argv[1]]))
"""


def test_the_guardians_last_word_at_the_limit_is_the_limit(launch: Launch) -> None:
    """The agent is too slow on a busy node, and hangs: its guardian says what is true of it."""
    job = {"SLURM_JOB_END_TIME": str(int(time.time()) + 24)}
    session = launch(job=job, argv=[sys.executable, "-c", SLOW])
    ends_at = session.wait(lambda s: s.ends_at).ends_at
    assert ends_at and wait_until(lambda: now() >= ends_at, interval=0.2)
    session.agent.signal(signal.SIGSTOP)
    session.process.terminate()
    session.wait_exit()
    end = session.status.end
    assert end and (end.state, end.code) == (State.TIMEOUT, "TimeLimit"), session.log()
    session.assert_nothing_left()


def test_a_stop_in_the_first_moment_is_the_users(launch: Launch) -> None:
    """His word is on record before the agent looks, or just after."""
    session = launch()
    session.ask_to_stop()
    session.wait_exit()
    end = session.status.end
    assert end and (end.state, end.code) == (State.CANCELLED, "StoppedByUser")
    session.assert_nothing_left()


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
    assert "X server on the node ended (signal 9)" in end.reason
    assert "xkbcomp" not in end.reason and "Warning" not in end.reason
    session.assert_nothing_left()


def test_a_killed_stream_always_comes_back_and_the_desktop_stays(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    desktop = Process.of(session.find("xfce4-session"))
    stream = Process.of(session.find("selkies"))
    for _ in range(4):
        stream.signal(signal.SIGKILL)
        # The fourth time it waits for somebody who looks.
        wait_until(lambda: session.ask("/", session.token).status == 200, interval=0.5)
        stream = wait_for_another(session, "selkies", stream.pid)
        assert session.status.phase == "running"
    assert len(session.first_frame()) > 100
    assert desktop.alive(), "its windows are there"
    # It is said when the host is known to be back, which who looks may know before.
    status = session.wait(lambda s: any("stream ended (signal 9)" in note for note in s.notes))
    assert len([note for note in status.notes if "stream" in note]) == 1, status.notes
    assert "has ended 4 times" in session.log() and "Your desktop is kept" in session.log()


def test_a_desktop_whose_d_bus_is_killed_is_started_again_with_a_new_one(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    bus = Process.of(session.find("dbus-daemon"))
    manager = Process.of(session.find("xfwm4"))
    bus.signal(signal.SIGKILL)
    session.wait(lambda s: any("D-Bus" in note for note in s.notes))
    wait_for_another(session, "dbus-daemon", bus.pid)
    wait_for_another(session, "xfwm4", manager.pid)
    # A program that needs the bus is started through it: it works.
    assert start_in_desktop(session, DAEMON).alive()
    assert session.status.phase == "running" and len(session.first_frame()) > 100


def test_a_window_manager_that_is_killed_comes_back(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    manager = Process.of(session.find("xfwm4"))
    manager.signal(signal.SIGKILL)
    wait_for_another(session, "xfwm4", manager.pid)
    assert session.status.phase == "running"


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
