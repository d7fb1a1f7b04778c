"""An end or a stop on record is final on the node too, whoever starts the job again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from moonlight_spawner.model.records import Stop, StopReason
from moonlight_spawner.model.session import End, State, StepState

from tests.cluster.users import TestUser

from .conftest import Launch
from .sessions import AgentSession, prepare

LOST = End(state=State.FAILED, code="JobUnknown", reason="Nobody knows the job any more.")
ON_RECORD = {
    "end": ("end.json", LOST.model_dump_json(), "JobUnknown"),
    "stop": ("stop.json", Stop().model_dump_json(), "StoppedByUser"),
    "stop of the portal": (
        "stop.json",
        Stop(why=StopReason.START_TIMEOUT).model_dump_json(),
        "StartTimeout",
    ),
    "damaged stop": ("stop.json", "{", "StoppedByUser"),
    "damaged end": ("end.json", "{", "Ended"),
}


def put(user: TestUser, path: Path, text: str) -> None:
    """As the manager does: whole, from one moment to the next."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.chown(new, user.uid, user.gid)
    new.rename(path)


def assert_nothing_was_started(session: AgentSession) -> None:
    assert session.wait_exit() == 0
    assert {step.state for step in session.status.steps} == {StepState.WAITING}, session.log()
    assert "has ended already" in session.log()
    session.assert_nothing_left()


@pytest.mark.parametrize(("name", "text", "code"), ON_RECORD.values(), ids=ON_RECORD)
def test_nothing_is_started_for_a_session_that_has_ended(
    launch: Launch, user: TestUser, name: str, text: str, code: str
) -> None:
    directory = prepare(user)
    put(user, directory / name, text)
    session = launch(directory=directory)
    assert_nothing_was_started(session)
    end = session.status.end
    assert end and end.code == code
    assert (directory / name).read_text() == text


def test_a_session_that_said_its_last_word_is_not_run_again(launch: Launch, user: TestUser) -> None:
    """`scontrol requeue` of a job whose session has ended, before anybody has looked at it."""
    directory = prepare(user)
    first = launch(directory=directory)
    first.wait(lambda s: s.steps[1].started_at)
    first.process.terminate()
    first.wait_exit()
    said = (directory / "status.json").read_text()
    second = launch(directory=directory)
    assert second.wait_exit() == 0
    assert (directory / "status.json").read_text() == said
    second.assert_nothing_left()


def test_an_end_on_record_ends_a_session_that_runs(launch: Launch, user: TestUser) -> None:
    session = launch()
    session.wait(lambda s: s.steps[1].state is StepState.DONE)
    put(user, session.directory / "end.json", LOST.model_dump_json())
    assert session.wait_exit() == 1, "the job of a session that failed fails"
    assert session.status.end == LOST
    session.assert_nothing_left()


def test_a_desktop_whose_record_is_deleted_ends(launch: Launch) -> None:
    """Nobody could stop it any more, as one that was taken for lost and deleted."""
    session = launch()
    session.wait_running()
    away = session.directory.with_name(f".{session.directory.name}.gone")
    session.directory.rename(away)
    assert session.wait_exit() == 0
    session.assert_nothing_left()
    shutil.rmtree(away)
