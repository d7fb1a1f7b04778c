"""Records that were edited, cut off or restored half: seen as such, stoppable, and hiding no other."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from moonlight_spawner.model.errors import LimitReached
from moonlight_spawner.model.files import write_private
from moonlight_spawner.model.records import AgentStatus, Job, Missed, Stop
from moonlight_spawner.model.session import End, State, new_session_id, now

from .desk import REQUEST, Desk, running

PARTS = ["facts", "job", "stop", "end", "seen", "missed", "status", "spec"]

Damage = Callable[[Path], None]


def _directory(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "something").write_text("x")


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/etc/passwd")


def _naive(path: Path) -> None:
    """Times without a zone, as an editor or another program writes them."""
    if path.exists():
        path.write_text(path.read_text().replace('Z"', '"'))


def _absurd(path: Path) -> None:
    """Numbers and times that can be read and make no sense."""
    if path.exists():
        text = path.read_text().replace('"hours":1.0', '"hours":1e300')
        path.write_text(text.replace("2026-", "9999-").replace("2027-", "9999-"))


DAMAGES: dict[str, Damage] = {
    "empty": lambda path: path.write_bytes(b"") and None,
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 9) and None,
    "not an object": lambda path: path.write_text("[1]") and None,
    "wrong types": lambda path: (
        path.write_text(
            '{"session_id": 1, "job_id": [], "requested_at": "soon", "state": 7, "job": 0, "since": {},'
            ' "phase": 0, "steps": 5}'
        )
        and None
    ),
    "cut off": lambda path: path.write_text('{"session_id": "ml-') and None,
    "huge": lambda path: path.write_bytes(b"[" * 5_000_000) and None,
    "a directory": _directory,
    "a pipe": _pipe,
    "a link": _link,
    "times without a zone": _naive,
    "absurd": _absurd,
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_part_hides_neither_its_session_nor_another(
    desk: Desk, part: str, damage: Damage
) -> None:
    whole, damaged = desk.add(**running()), desk.add(**running())
    desk.has_job(damaged)
    damage(desk.directory(damaged) / f"{part}.json")
    for _ in range(2):
        sessions = desk.sessions()
        assert set(sessions) == {whole, damaged}
        assert sessions[whole].status is State.RUNNING and not sessions[whole].notes
        assert sessions[damaged].live, "its desktop speaks"
        if part not in ("stop", "end"):
            assert sessions[damaged].status in (State.RUNNING, State.STARTING)
    with pytest.raises(LimitReached):
        desk.do(lambda manager: manager.create(desk.user, {}))

    # It can be stopped: its agent is told, and Slurm.
    assert desk.stop(damaged).status is State.STOPPING or part == "stop"
    assert (desk.directory(damaged) / "stop.json").exists()
    assert "7" in desk.cancelled.read_text().split()
    done = AgentStatus(
        phase="ended", end=End(state=State.CANCELLED, code="StoppedByUser", reason=".")
    )
    if (desk.directory(damaged) / "status.json").is_file() and part != "status":
        write_private(desk.directory(damaged) / "status.json", done.model_dump_json())
        assert desk.sessions()[damaged].status is State.CANCELLED


@pytest.mark.parametrize("part", [part for part in PARTS if part not in ("spec", "missed")])
def test_a_damaged_part_is_named(desk: Desk, part: str) -> None:
    session_id = desk.add(**running())
    path = desk.directory(session_id) / f"{part}.json"
    path.write_text("{")
    desk.program("squeue", "echo away >&2; exit 1")  # else what Slurm says takes its place
    (session,) = desk.sessions().values()
    assert any(str(path) in note and "can be stopped" in note for note in session.notes)
    assert (str(path) in session.reason) == (session.reason_code == "DamagedRecord")


@pytest.mark.parametrize("part", ["job", "seen", "missed"])
def test_what_slurm_knows_takes_the_place_of_a_damaged_part(desk: Desk, part: str) -> None:
    session_id = desk.add(**running())
    desk.has_job(session_id)
    _directory(desk.directory(session_id) / f"{part}.json")
    if part == "missed":
        desk.program("squeue", "exit 0")
        status = AgentStatus(phase="running", beat=now() - timedelta(minutes=5))
        write_private(desk.directory(session_id) / "status.json", status.model_dump_json())
    desk.sessions()
    (session,) = desk.sessions().values()
    assert session.notes == [] and session.live
    assert desk.manager.store.look(desk.user, session_id, "job", Job) is not None


def test_facts_that_are_gone_or_of_another_session_are_damaged(desk: Desk) -> None:
    gone, other = desk.add(**running()), desk.add(**running())
    copied = desk.directory(gone) / "facts.json"
    copied.replace(desk.directory(other) / "facts.json")
    sessions = desk.sessions()
    assert set(sessions) == {gone, other}
    assert "does not exist any more" in sessions[gone].notes[0]
    assert gone in sessions[other].notes[0]
    assert all(s.image_id == "desktop" and s.request == REQUEST for s in sessions.values())
    assert sessions[gone].status is State.RUNNING


def test_an_empty_directory_is_no_session(desk: Desk) -> None:
    (desk.manager.store.root / new_session_id(desk.user)).mkdir(mode=0o700)
    assert desk.sessions() == {}


def test_nothing_but_an_id_is_a_session_that_ends_when_slurm_does_not_know_it(desk: Desk) -> None:
    session_id = desk.add()
    for name in ("facts", "spec"):
        (desk.directory(session_id) / f"{name}.json").write_bytes(b"\0")
    (session,) = desk.sessions().values()
    assert (session.status, session.image_name) == (State.PENDING, "Unknown desktop")
    missed = Missed(since=now() - timedelta(minutes=2))
    desk.manager.store.put(desk.user, session_id, "missed", missed)
    (session,) = desk.sessions().values()
    assert session.status is State.FAILED and session.notes
    assert desk.do(lambda manager: manager.reach(desk.user, session_id) and _nothing()) is None


async def _nothing() -> None:
    return None


def test_a_job_that_cannot_be_found_does_not_end_a_session_whose_desktop_speaks(
    desk: Desk,
) -> None:
    session_id = desk.add(**running(), missed=Missed(since=now() - timedelta(minutes=5)))
    (desk.directory(session_id) / "job.json").write_text("{")
    (session,) = desk.sessions().values()
    assert session.status is State.RUNNING
    status = desk.directory(session_id) / "status.json"
    status.write_text("{")  # it was written a moment ago, so somebody writes
    assert desk.sessions()[session_id].live
    old = now().timestamp() - 600
    os.utime(status, (old, old))
    session = desk.sessions()[session_id]
    assert (session.status, session.reason_code) == (State.FAILED, "JobUnknown")


def test_times_without_a_zone_are_utc(desk: Desk) -> None:
    session_id = desk.add(**running())
    before = desk.sessions()[session_id]
    for part in PARTS:
        _naive(desk.directory(session_id) / f"{part}.json")
    after = desk.sessions()[session_id]
    assert (after.created_at, after.started_at) == (before.created_at, before.started_at)
    assert after.notes == []


def test_a_stop_that_cannot_be_read_is_a_stop(desk: Desk) -> None:
    session_id = desk.add(**running(), stop=Stop())
    desk.has_job(session_id)
    (desk.directory(session_id) / "stop.json").write_bytes(b"")
    assert desk.sessions()[session_id].status is State.STOPPING


def test_a_record_is_removed_in_one_step(desk: Desk) -> None:
    """Half of one looks like a damaged one."""
    session_id = desk.add(**running())
    directory = desk.directory(session_id)
    kept = os.open(directory, os.O_RDONLY)
    try:
        desk.manager.store.remove(desk.user, session_id)
        assert not directory.exists() and os.listdir(kept) == []
        assert os.listdir(desk.manager.store.root) == []
    finally:
        os.close(kept)
