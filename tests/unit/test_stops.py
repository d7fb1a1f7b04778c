"""A stop is always a word to the agent and a question to Slurm, whatever a session is taken for."""

from __future__ import annotations

from pathlib import Path

import pytest
from moonlight_spawner.model.records import Job, Stop, StopReason
from moonlight_spawner.model.session import End, State

from .desk import Desk, running

ENDS = [
    End(state=State.CANCELLED, code="CancelledOutside", reason="Ended from outside."),
    End(state=State.FAILED, code="JobUnknown", reason="Nothing is known of it."),
    End(state=State.FAILED, code="NODE_FAIL", reason="The node failed."),
]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.code)
def test_what_is_taken_for_ended_and_runs_is_ended_and_told(desk: Desk, end: End) -> None:
    """A job that was put back into the queue by force ran a second desktop, and nobody could end it."""
    session_id = desk.add(**running(), end=end)
    desk.has_job(session_id)
    stopped = desk.stop(session_id)
    assert (stopped.status, stopped.reason) == (end.state, end.reason)
    assert any("still had its job 7" in note for note in stopped.notes)
    assert desk.cancelled.read_text().split() == ["7"]
    assert (desk.directory(session_id) / "stop.json").exists()


def test_where_nothing_is_left_nothing_is_told(desk: Desk) -> None:
    session_id = desk.add(**running(), end=ENDS[0])
    assert desk.stop(session_id).notes == []
    assert not desk.cancelled.exists()
    assert (desk.directory(session_id) / "stop.json").exists()


def test_a_number_that_is_another_jobs_by_now_is_left_alone(desk: Desk) -> None:
    """A cluster that was set up anew counts from 1 again: ended sessions are found by their names."""
    old = desk.add(job=Job(job_id="7"), end=ENDS[0])
    desk.program("squeue", "case $* in *%j*) exit 0;; esac; echo '7|RUNNING|viz|1|n1|1|2|None'")
    desk.stop(old)
    assert not desk.cancelled.exists()


def test_why_the_portal_stops_it_is_on_record_and_a_later_word_changes_nothing(desk: Desk) -> None:
    session_id = desk.add(**running())
    desk.has_job(session_id)
    desk.stop(session_id, StopReason.START_TIMEOUT)
    desk.stop(session_id)
    stop = Stop.model_validate_json((desk.directory(session_id) / "stop.json").read_bytes())
    assert stop.why is StopReason.START_TIMEOUT and stop.end().code == "StartTimeout"


@pytest.mark.parametrize("script", ["echo away >&2; exit 1", "echo garbage"])
def test_that_slurm_did_not_tell_is_told(desk: Desk, script: str) -> None:
    session_id = desk.add(**running(), end=ENDS[0])
    desk.program("squeue", script)
    (note,) = desk.stop(session_id).notes
    assert "is not known" in note
    assert (desk.directory(session_id) / "stop.json").exists()
