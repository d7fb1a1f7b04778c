"""What an exception says becomes a reason that a user reads: it is never empty, whatever was raised."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_spawner.agent.run import Agent
from moonlight_spawner.agent.status import StatusFile, with_file
from moonlight_spawner.agent.transfers.refusals import of_system
from moonlight_spawner.model.said import said_by
from moonlight_spawner.model.session import StepState

SAY_NOTHING = [TimeoutError(), asyncio.TimeoutError(), OSError(), ConnectionResetError()]


@pytest.mark.parametrize("error", SAY_NOTHING, ids=repr)
def test_a_start_that_failed_without_a_word_has_a_reason(error: Exception, tmp_path: Path) -> None:
    async def start() -> None:
        agent._status.step("xserver", StepState.RUNNING)
        raise error

    agent: Any = Agent.__new__(Agent)
    agent._status = StatusFile.new(tmp_path)
    agent._parts = SimpleNamespace(start=start)
    end = asyncio.run(agent._work())
    said = said_by(error)
    assert end.code == "StartFailed" and f": {said}. If" in end.reason
    step = next(step for step in agent._status.status.steps if step.state is StepState.FAILED)
    assert step.detail == end.reason


@pytest.mark.parametrize(
    "error, said",
    [
        (OSError(28, "No space left on device", "/scratch/x"), "No space left on device"),
        (OSError("timed out"), "timed out"),
        (TimeoutError(), "it took too long"),
        (asyncio.TimeoutError(), "it took too long"),
        (TimeoutError(110, "Connection timed out"), "Connection timed out"),
        (ConnectionResetError(), "ConnectionResetError"),
        (ValueError("one\n line"), "one line"),
        (asyncio.CancelledError(), "CancelledError"),
    ],
    ids=repr,
)
def test_what_an_exception_says(error: BaseException, said: str) -> None:
    assert said_by(error) == said


def test_of_which_file() -> None:
    assert with_file(OSError(2, "No such file", "/a")) == "No such file (/a)"
    assert with_file(TimeoutError()) == "it took too long"


def test_a_file_system_that_says_nothing() -> None:
    assert (
        str(of_system(TimeoutError(), "a.txt")) == "a.txt: it took too long. Try again in a moment."
    )
