"""Looks at sessions whose jobs cannot be asked about here, never came, or cannot be written of."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.errors import RecordsUnwritable
from moonlight_spawner.model.files import private_directory, write_private
from moonlight_spawner.model.records import AgentStatus, Facts, Job, Missed, Stop
from moonlight_spawner.model.sentences import Said
from moonlight_spawner.model.session import (
    End,
    Gateway,
    Resources,
    Session,
    State,
    new_session_id,
    now,
)
from moonlight_spawner.processes.mark import mark_of
from moonlight_spawner.scheduler.base import name_of, same_place
from moonlight_spawner.sessions.manager import SessionManager
from moonlight_spawner.site.options import MoonlightSite

GATEWAY = Gateway(hosts=["n1"], port=40000, certificate="PEM")
REQUEST = Resources(
    image="host-desktop", hours=1, cpus=1, memory_gb=1, gpus=0, resolution="800x600", fps=30
)


@pytest.fixture
def manager(tmp_path: Path) -> SessionManager:
    """Of a machine without a batch system."""
    site = MoonlightSite(scheduler="local", sessions_dir=str(tmp_path / "s"), host_desktop="always")
    return SessionManager(site)


def add(manager: SessionManager, agent: AgentStatus | None = None, **facts: Any) -> str:
    user = manager.store.user
    session_id = new_session_id(user)
    usual = {"host": "selkies", "scheduler": "local", "place": os.uname().nodename}
    named = {"image_id": "host-desktop", "image_name": "Desktop", "request": REQUEST}
    record = Facts(session_id=session_id, user=user, **{**usual, **named, **facts})
    manager.store.put(user, session_id, "facts", record)
    if agent:
        path = manager.store.directory(session_id) / "status.json"
        write_private(path, agent.model_dump_json())
    return session_id


def look(manager: SessionManager, session_id: str) -> Session:
    return asyncio.run(manager.get(manager.store.user, session_id))


def put(manager: SessionManager, session_id: str, part: Any, record: Any) -> None:
    manager.store.put(manager.store.user, session_id, part, record)


def test_an_end_keeps_what_its_sentence_speaks_of(manager: SessionManager) -> None:
    """A page says it in its language at every later look, too."""
    said = Said.by("XServerEnded", "X ended ({how}).", how="signal 9")
    over = AgentStatus(phase="ended", end=End.saying(State.FAILED, said))
    session_id = add(manager, over)
    assert look(manager, session_id).reason_params == {"how": "signal 9"}
    kept = manager.store.get(manager.store.user, session_id, "end", End)
    assert kept and kept.params == {"how": "signal 9"}
    assert look(manager, session_id).reason_params == {"how": "signal 9"}


ELSEWHERE = [
    {"scheduler": "slurm", "place": "uranus"},
    {"scheduler": "slurm", "place": ""},
    {"scheduler": "local", "place": "another-machine"},
]


@pytest.mark.parametrize("facts", ELSEWHERE)
def test_a_session_of_another_machine_is_not_taken_for_lost(
    manager: SessionManager, facts: dict[str, str]
) -> None:
    """A home may be shared with nodes that have no Slurm, and by several clusters."""
    agent = AgentStatus(phase="running", node="n1", gateway=GATEWAY)
    session_id = add(manager, agent, **facts)
    put(manager, session_id, "job", Job(job_id="1234", submitted_at=now() - timedelta(hours=1)))
    for _ in range(2):
        session = look(manager, session_id)
        assert session.status.value == "running"
        assert session.stale_code == "StartedElsewhere" and session.stale_since
        assert (facts["place"] or "n1") in (session.stale_reason or "")
    assert not (manager.store.directory(session_id) / "end.json").exists()
    assert manager.reach(manager.store.user, session_id).target


def test_it_is_stopped_by_a_word_to_its_agent_and_by_its_silence(manager: SessionManager) -> None:
    silent = AgentStatus(phase="running", node="n1", beat=now() - timedelta(minutes=5))
    session_id = add(manager, silent, **ELSEWHERE[0])
    put(manager, session_id, "job", Job(job_id="1234"))
    stopped = asyncio.run(manager.stop(manager.store.user, session_id))
    assert stopped.status.value == "stopping"
    assert (manager.store.directory(session_id) / "stop.json").exists()
    put(manager, session_id, "stop", Stop(requested_at=now() - timedelta(minutes=2)))
    session = look(manager, session_id)
    assert (session.status.value, session.reason_code) == ("cancelled", "StoppedByUser")


def test_its_time_ends_it_when_nobody_says_so(manager: SessionManager) -> None:
    began = now() - timedelta(hours=2)
    silent = AgentStatus(phase="running", node="n1", started_at=began, beat=began)
    session = look(manager, add(manager, silent, **ELSEWHERE[2]))
    assert (session.status.value, session.reason_code) == ("timeout", "TimeLimit")
    assert session.ended_at == began + timedelta(hours=1)


def test_a_job_that_never_came_is_given_time_after_the_first_answer(
    manager: SessionManager,
) -> None:
    """The controller may have hung for an hour: the submission is in its queue all that time."""
    session_id = add(manager, created_at=now() - timedelta(hours=1))
    for _ in range(2):
        session = look(manager, session_id)
        assert (session.status.value, session.reason_code) == ("pending", "RunnerUnconfirmed")
    put(manager, session_id, "missed", Missed(since=now() - timedelta(seconds=46)))
    session = look(manager, session_id)
    assert (session.status.value, session.reason_code) == ("failed", "SubmitLost")
    # Should the job come after all, its agent finds this and ends.
    assert (manager.store.directory(session_id) / "stop.json").exists()


def test_one_that_was_stopped_meanwhile_has_been_stopped(manager: SessionManager) -> None:
    session_id = add(manager)
    put(manager, session_id, "stop", Stop())
    put(manager, session_id, "missed", Missed(since=now() - timedelta(seconds=46)))
    session = look(manager, session_id)
    assert (session.status.value, session.reason_code) == ("cancelled", "StoppedByUser")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with little room."""
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "none", str(directory)], check=True
    )
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def fill(directory: Path) -> None:
    with pytest.raises(OSError, match="No space left"), (directory / "full").open("wb", 0) as f:
        while True:
            f.write(b"x" * 4096)


def test_a_full_disk_hides_no_session_keeps_none_alive_and_is_told(small_disk: Path) -> None:
    site = MoonlightSite(scheduler="local", sessions_dir=str(small_disk), host_desktop="always")
    manager = SessionManager(site)
    agent = AgentStatus(phase="running", node="n1", gateway=GATEWAY)
    running, ended = add(manager, agent), add(manager)
    end = End(state="completed", code="LoggedOut", reason="You logged out.")
    path = manager.store.directory(ended) / "status.json"
    write_private(path, AgentStatus(phase="ended", end=end).model_dump_json())
    runner = {"state": "running", "pid": os.getpid(), "boot": "", "ticks": 0}
    write_private(manager.store.directory(running) / "local.json", json.dumps(runner))
    private_directory(manager.store.root / "keys")
    fill(small_disk)

    async def scenario() -> None:
        user = manager.store.user
        states = {s.session_id: s.status.value for s in await manager.sessions(user)}
        assert states[ended] == "completed" and running in states
        assert (await manager.stop(user, ended)).status.value == "completed"
        await manager.stop(user, running)
        with pytest.raises(RecordsUnwritable, match="Make room there") as told:
            await manager.create(user, {})
        assert str(manager.store.root) in str(told.value)
        await manager.close()

    asyncio.run(scenario())
    assert len(manager.store.ids(manager.store.user)) == 2


CLONES = {
    "its boot and its address differ": {"boot": "another", "machine": "another"},
    "a container beside this one": {"pids": "pid:[1]"},
    "nothing tells whose it is": {"boot": "another", "pids": "pid:[1]", "machine": ""},
}


@pytest.mark.parametrize("change", CLONES.values(), ids=CLONES.keys())
def test_a_machine_of_the_same_name_is_another_one(
    manager: SessionManager, change: dict[str, str]
) -> None:
    """Containers and cloned nodes with one home took each other's sessions for dead."""
    agent = AgentStatus(phase="running", node=os.uname().nodename, gateway=GATEWAY)
    session_id = add(manager, agent)
    put(manager, session_id, "job", Job(job_id=session_id))
    # What has this pid here is this very process: it must not be told to end.
    runner = mark_of(os.getpid()).model_copy(update=change)
    job = {**runner.model_dump(), "state": "running"}
    write_private(manager.store.directory(session_id) / "local.json", json.dumps(job))
    session = look(manager, session_id)
    assert (session.status.value, session.stale_code) == ("running", "StartedElsewhere")
    assert "of that name" in (session.stale_reason or "")
    assert not (manager.store.directory(session_id) / "end.json").exists()
    assert manager.reach(manager.store.user, session_id).target
    stopped = asyncio.run(manager.stop(manager.store.user, session_id))
    assert stopped.status.value == "stopping"
    assert (manager.store.directory(session_id) / "stop.json").exists()


def test_a_place_names_more_than_the_machine(manager: SessionManager) -> None:
    here = asyncio.run(manager.scheduler.place())
    assert here.startswith(f"{os.uname().nodename}#") and name_of(here) == os.uname().nodename
    agent = AgentStatus(phase="running", node="n1", gateway=GATEWAY)
    session_id = add(manager, agent, place=f"{os.uname().nodename}#another")
    session = look(manager, session_id)
    assert (session.status.value, session.stale_code) == ("running", "StartedElsewhere")
    assert "#" not in (session.stale_reason or "")


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("a#1", "a#1", True),
        ("a#1", "a#2", False),
        ("a", "a#2", True),
        ("a", "b#2", False),
        ("", "b#2", True),
        ("lab", "lab", True),
        ("lab", "other", False),
    ],
)
def test_places_of_older_versions_have_no_mark(one: str, other: str, same: bool) -> None:
    assert same_place(one, other) is same_place(other, one) is same
