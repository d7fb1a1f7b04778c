"""Parts of a session are killed without warning: nothing is left of it, and the user is told."""

from __future__ import annotations

import signal

from moonlight_spawner.model.session import State, StepState

from tests.cluster.processes import Process
from tests.support.waiting import PATIENCE, wait_until

from .conftest import Launch
from .desks import DAEMON, LocalDesk, remove_files, start_in_desktop


def test_the_agent_is_killed(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    daemon = start_in_desktop(session, DAEMON)
    session.agent.signal(signal.SIGKILL)
    assert session.wait_exit() == 1
    end = session.status.end
    assert end and (end.state, end.code) == (State.FAILED, "AgentKilled")
    assert "signal 9" in end.reason
    assert not daemon.alive()
    session.assert_nothing_left()


def test_the_guardian_is_killed(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    daemon = start_in_desktop(session, DAEMON)
    agent = session.agent
    session.guardian.signal(signal.SIGKILL)
    assert agent.wait(PATIENCE), "the agent outlives its guardian"
    end = session.status.end
    assert end and (end.state, end.code) == (State.CANCELLED, "EndedOutside")
    assert daemon.wait(PATIENCE)
    session.assert_nothing_left()


def test_the_agent_is_killed_while_it_starts(launch: Launch) -> None:
    session = launch()
    session.wait(lambda s: s.steps[1].started_at)
    session.agent.signal(signal.SIGKILL)
    assert session.wait_exit() == 1
    status = session.status
    assert status.end and status.end.code == "AgentKilled"
    assert StepState.RUNNING not in {step.state for step in status.steps}
    session.assert_nothing_left()


def test_an_agent_that_hangs_is_not_waited_for_without_end(launch: Launch) -> None:
    session = launch()
    session.wait_running()
    agent = session.agent
    agent.signal(signal.SIGSTOP)
    session.process.terminate()
    assert session.wait_exit() != 0
    assert not agent.alive()
    end = session.status.end
    assert end and end.state is State.CANCELLED
    session.assert_nothing_left()


def test_agent_and_guardian_are_killed_at_once(desk: LocalDesk) -> None:
    session = desk.create()
    session.wait_running()
    daemon = start_in_desktop(session, DAEMON)
    guardian = Process.of(session.guardian_pid)
    agent = Process.of(session.agent_pid)
    guardian.signal(signal.SIGSTOP)  # else it would clean up in the moment between the two
    agent.signal(signal.SIGKILL)
    guardian.signal(signal.SIGKILL)
    told = desk.wait(session, lambda s: s["ended_at"])
    assert told["status"] == "failed" and told["reason"]
    assert daemon.wait(PATIENCE), "the runner adopts and ends what is left"
    assert wait_until(lambda: not session.processes(), interval=0.1), session.processes()
    remove_files(session)  # both who would have done it were killed


def test_the_runner_is_killed(desk: LocalDesk) -> None:
    session = desk.create()
    session.wait_running()
    daemon = start_in_desktop(session, DAEMON)
    Process.of(session.runner_pid).signal(signal.SIGKILL)
    told = desk.wait(session, lambda s: s["ended_at"])
    assert (told["status"], told["reason_code"]) == ("failed", "RunnerGone")
    assert "killed" in told["reason"]
    session.assert_nothing_left()
    assert not daemon.alive()
