"""What is on record of ended sessions can be deleted, and of no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from moonlight_spawner.model.errors import (
    NotFound,
    RecordsUnwritable,
    SchedulerUnavailable,
    SessionLives,
)
from moonlight_spawner.model.session import End, State
from moonlight_spawner.sessions import forgetting

from .desk import RUNS, Desk, running

END = End(state=State.COMPLETED, code="Ended", reason="It ended.")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def forget(desk: Desk, session_id: str | None = None) -> list[str]:
    forgotten: list[str] = desk.do(lambda manager: manager.forget(desk.user, session_id))
    return forgotten


def test_one_or_all_that_have_ended(desk: Desk) -> None:
    first, second, third = (desk.add(end=END) for _ in range(3))
    lives = desk.add(**running())
    (desk.directory(first) / "agent.log").write_text("words")
    assert forget(desk, first) == [first]
    assert not desk.directory(first).exists()
    assert set(desk.sessions()) == {second, third, lives}
    with pytest.raises(NotFound):
        forget(desk, first)
    assert set(forget(desk)) == {second, third}
    assert set(desk.sessions()) == {lives}
    assert forget(desk) == []


def test_what_cannot_be_deleted_is_not_said_to_be(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home that is read-only, or answers with errors."""
    session_id = desk.add(end=END)

    def refuses(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "rename", refuses)
    monkeypatch.setattr(os, "unlink", refuses)
    monkeypatch.setattr(os, "rmdir", refuses)
    with pytest.raises(RecordsUnwritable, match="cannot be changed"):
        forget(desk, session_id)
    assert forget(desk) == [], "of all, those are deleted that can be"
    assert session_id in desk.sessions()


def test_one_that_lives_is_not_deleted(desk: Desk) -> None:
    session_id = desk.add(**running())
    with pytest.raises(SessionLives, match="stop it first"):
        forget(desk, session_id)
    assert session_id in desk.sessions() and not desk.cancelled.exists()


def test_one_whose_job_runs_all_the_same_is_ended_and_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was put back into the queue: without a record nobody could end it."""
    monkeypatch.setattr(forgetting, "_WAIT_SECONDS", 0.0)
    back, gone = desk.add(end=END), desk.add(end=END)
    desk.has_job(back)
    with pytest.raises(SessionLives, match="still has its job 7"):
        forget(desk, back)
    assert forget(desk) == [gone]
    assert set(desk.sessions()) == {back}
    assert set(desk.cancelled.read_text().split()) == {"7"}


def test_one_that_has_just_ended_is_deleted_when_its_job_has_too(desk: Desk) -> None:
    """Slurm hears of it a moment later; while it only cleans up, nothing is left to be ended."""
    just = desk.add(end=END)
    heard = desk.bin / "heard"
    running = f"if [ -e {heard} ]; then echo '{RUNS.replace('RUNNING', 'COMPLETING')}'; "
    running += f"else touch {heard}; echo '{RUNS}'; fi"
    desk.program("squeue", f"case $* in *%j*) echo '7 {just}';; *jobs=*) {running};; esac")
    assert forget(desk, just) == [just]
    assert desk.cancelled.read_text().split() == ["7"]


@pytest.mark.parametrize(
    "script",
    [
        "echo away >&2; exit 1",
        "case $* in *%j*) echo '7 {}';; *) echo away >&2; exit 1;; esac",
        "case $* in *%j*) echo '7 {}';; *) echo garbage;; esac",
    ],
    ids=["no answer", "no state", "no sense"],
)
def test_where_slurm_cannot_say_that_it_has_ended_nothing_is_deleted(
    desk: Desk, script: str
) -> None:
    session_id = desk.add(end=END)
    desk.program("squeue", script.replace("{}", session_id))
    for which in (session_id, None):
        with pytest.raises(SchedulerUnavailable, match=r"Slurm|Nothing was deleted"):
            forget(desk, which)
    assert desk.directory(session_id).exists() and not desk.cancelled.exists()


def test_the_job_of_another_session_is_left_alone(desk: Desk) -> None:
    ended = desk.add(end=END)
    desk.program("squeue", f"case $* in *%j*) exit 0;; *) echo '{RUNS}';; esac")
    assert forget(desk, ended) == [ended] and not desk.cancelled.exists()
