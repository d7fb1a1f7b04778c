"""What the portal's service shows by itself, and how long that serves before a user's side is asked."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from moonlight_spawner.model.errors import UserSideFailed
from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.model.records import AgentStatus, Facts, Job, Name, Seen, SessionRecord, Stop
from moonlight_spawner.model.session import (
    End,
    Gateway,
    Model,
    Moment,
    Resources,
    Session,
    State,
    now,
)
from moonlight_spawner.portal.answers import own_record
from moonlight_spawner.portal.derived import Derived
from moonlight_spawner.portal.freshness import serves_for
from moonlight_spawner.portal.jobs import UsersJobs, by_owner
from moonlight_spawner.portal.view import Hands, rank
from moonlight_spawner.scheduler.base import Doubt, Snapshot
from moonlight_spawner.scheduler.slurm_everybodys import EverybodysJobs
from moonlight_spawner.scheduler.slurm_output import OWNER_FORMAT, SQUEUE_FORMAT, parse_squeue
from moonlight_spawner.scheduler.slurm_words import Asked
from moonlight_spawner.sessions.reading import SessionReader
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.store.snapshot import Kept, RecordsThen
from pydantic import ValidationError

A, B = "ml-alice-aaaaaaaaaa", "ml-bob-aaaaaaaaaa"
PEM = "-----BEGIN CERTIFICATE-----\nMIIBAA==\n-----END CERTIFICATE-----\n"
REQUEST = Resources(
    image="d", hours=1, cpus=1, memory_gb=1, gpus=0, resolution="800x600", fps=30, bitrate_kbps=1
)


def facts(session_id: str = A, user: str = "alice", **more: Any) -> Facts:
    named = {"image_id": "d", "image_name": "D", "host": "selkies", "scheduler": "slurm"}
    return Facts(session_id=session_id, user=user, request=REQUEST, **{**named, **more})


def ago(seconds: float) -> datetime:
    return now() - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "state, words, ended, job_seen, seconds",
    [
        (State.COMPLETED, None, True, False, 60),
        (State.COMPLETED, 1, False, True, 5),  # only its user's side puts that on record
        (State.PENDING, None, False, True, 60),
        (State.PENDING, None, False, False, 5),
        (State.STARTING, None, False, True, 5),
        (State.STARTING, 2, False, True, 60),
        (State.STARTING, 8, False, True, 5),
        (State.RUNNING, 14, False, True, 60),
        (State.RUNNING, 25, False, True, 20),
        (State.RUNNING, None, False, True, 20),
        (State.RUNNING, 14, False, False, 60),
        (State.RUNNING, 25, False, False, 5),
        (State.STOPPING, 1, False, True, 5),
    ],
)
def test_a_users_side_is_asked_when_nobody_else_can_tell(
    state: State, words: float | None, ended: bool, job_seen: bool, seconds: float
) -> None:
    session = Session(
        session_id=A,
        user="alice",
        status=state,
        created_at=now(),
        **{"image_id": "d", "image_name": "D", "host": "selkies", "scheduler": "slurm"},
        request=REQUEST,
    )
    spoke = None if words is None else ago(words)
    assert serves_for(session, spoke, ended, job_seen, now()) == seconds


def kept(user: str, session_id: str, **parts: Model) -> tuple[tuple[str, str], Kept]:
    fields = {name.encode(): part.model_dump_json().encode() for name, part in parts.items()}
    return (user, session_id), Kept(user, session_id, fields)


def read(
    user: str, session_id: str, snapshot: Snapshot, **parts: Model
) -> tuple[Session, Hands, RecordsThen]:
    def made(_: str, __: str, ___: str, data: bytes, model: type[Any]) -> Any:
        return model.model_validate_json(data)

    then = RecordsThen(dict([kept(user, session_id, **parts)]), made)
    hands = Hands("slurm")
    theirs = UsersJobs("slurm", by_owner(snapshot)(user), "")
    reader = SessionReader(then, theirs, hands)
    (session,) = asyncio.run(reader.read(user, [session_id]))
    return session, hands, then


def test_a_job_is_shown_to_whom_slurm_says_that_it_is() -> None:
    """A user may write any number into his record."""
    running = JobInfo(job_id="7", state=JobState.RUNNING, node="n1", started_at=now())
    snapshot = Snapshot({"7": running}, complete=False, owners={"7": "bob"})
    own, _, _ = read("bob", B, snapshot, facts=facts(B, "bob"), job=Job(job_id="7"))
    assert (own.status, own.node) == (State.STARTING, "n1")
    other, _, then = read("alice", A, snapshot, facts=facts(), job=Job(job_id="7"))
    assert (other.status, other.node, other.started_at) == (State.PENDING, None, None)
    assert then.changes == []


def test_of_a_job_that_the_service_does_not_see_nothing_is_decided() -> None:
    """Slurm may hide it from the service. What its user's side was told last is shown."""
    seen = Seen(job=JobInfo(job_id="7", state=JobState.RUNNING, node="n1"), at=ago(9000))
    job = Job(job_id="7", submitted_at=ago(9000))
    old = facts(created_at=ago(9000))
    session, _, then = read("alice", A, Snapshot(complete=False), facts=old, job=job, seen=seen)
    assert (session.status, session.node, session.stale_since) == (State.STARTING, "n1", None)
    session, _, then = read("alice", A, Snapshot(complete=False), facts=old)
    assert (session.status, session.reason_code) == (State.PENDING, "SubmitUnconfirmed")
    assert then.changes == []


def test_what_slurm_says_is_kept_and_a_stop_that_it_did_not_take_is_said_again() -> None:
    info = JobInfo(job_id="7", state=JobState.RUNNING, node="n1")
    snapshot = Snapshot({"7": info}, complete=False, owners={"7": "alice"})
    session, hands, then = read(
        "alice", A, snapshot, facts=facts(), job=Job(job_id="7"), stop=Stop()
    )
    assert session.status is State.STOPPING and hands.to_stop == [A]
    ((user, session_id, part, data),) = then.changes
    assert (user, session_id, part) == ("alice", A, "seen")
    assert isinstance(data, Seen) and data.job == info


def record(**parts: Any) -> SessionRecord:
    return SessionRecord(**{"facts": facts(), **parts})


@pytest.mark.parametrize(
    "wrong",
    [
        record(facts=facts(user="bob")),
        record(facts=facts(session_id=B)),
        record(facts=facts(session_id="ml-alice-../../etc")),
        record(job=Job(job_id="7 --user=bob")),
        record(job=Job(job_id="")),
        record(facts=facts(image_name="x" * 70_000)),
        record(status=AgentStatus(notes=["x" * 7_000] * 10)),
        record(end=End(state=State.FAILED, code="x", reason="y" * 70_000)),
    ],
    ids=lambda wrong: str(wrong)[:30],
)
def test_a_record_that_cannot_be_his_is_not_taken(wrong: SessionRecord) -> None:
    with pytest.raises(UserSideFailed, match="cannot be believed"):
        own_record("alice", wrong, local=False)


@pytest.mark.parametrize(
    "part",
    [
        {"status": {"ends_at": "9999-12-31T23:59:59Z"}},
        {"status": {"started_at": "0001-01-01T00:00:00+14:00"}},
        {"seen": {"job": {"job_id": "7", "state": "running", "ends_at": "9999-12-31T23:59:59Z"}}},
        {"end": {"state": "failed", "code": "x", "reason": "", "ended_at": "9999-12-31T23:59:59Z"}},
        {"facts": {"created_at": "9999-12-31T23:59:59-14:00"}},
        {"facts": {"request": {"hours": 1e999}}},
    ],
    ids=str,
)
def test_a_time_or_number_with_which_nothing_can_be_reckoned_is_in_no_record(
    part: dict[str, Any],
) -> None:
    """Who looks at everybody's sessions, as the rounds do, would fail for all because of one user's."""
    whole = json.loads(record().model_dump_json())
    for name, values in part.items():
        request = {"request": whole["facts"]["request"] | values.pop("request", {})}
        whole[name] = (whole[name] or {}) | values | (request if name == "facts" else {})
    with pytest.raises(ValidationError):
        SessionRecord.model_validate_json(json.dumps(whole))


def models(model: type[Model] = Model) -> list[type[Model]]:
    return [m for one in model.__subclasses__() for m in (one, *models(one))]


def test_every_time_in_a_record_is_one_that_is_checked() -> None:
    def times(annotation: Any) -> list[Any]:
        if annotation == Moment:
            return []
        found = [annotation] if annotation is datetime else []
        return found + [time for part in get_args(annotation) for time in times(part)]

    looked_at = 0
    for model in models():
        for name, annotation in get_type_hints(model, include_extras=True).items():
            looked_at += "Moment" in str(annotation) or Moment in (
                annotation,
                *get_args(annotation),
            )
            assert not times(annotation), f"{model.__name__}.{name} is a datetime, not a Moment"
    assert looked_at > 20
    assert Stop.model_validate({"requested_at": "2026-11-28T20:00:00"}).requested_at.tzinfo


def test_of_a_record_that_changed_only_what_changed_is_made_again() -> None:
    read_: list[str] = []

    def make(_: str, __: str, part: str, data: bytes, model: type[Any]) -> Any:
        read_.append(part)
        return model.model_validate_json(data)

    def packed(**parts: Model) -> dict[bytes, bytes]:
        return {name.encode(): part.model_dump_json().encode() for name, part in parts.items()}

    known, words = facts(), AgentStatus(beat=ago(20))
    before = Kept("alice", A, packed(facts=known, job=Job(job_id="7"), status=words))
    for part, model in (("facts", Facts), ("job", Job), ("status", AgentStatus)):
        before.look(part, model, make)
    before.beside["derived"] = "old"
    later = AgentStatus(beat=now(), encoder="x264")
    after = Kept("alice", A, packed(facts=known, status=later), before)
    read_.clear()
    assert after.look("facts", Facts, make) is before.look("facts", Facts, make)
    assert after.look("status", AgentStatus, make) == later
    assert after.look("job", Job, make) is None and after.beside == {}
    assert read_ == ["status"]


def test_what_nobody_may_say_is_left_out_of_a_record() -> None:
    later = now() + timedelta(days=900)
    for host, stays in (("127.0.0.1", False), ("n1", True)):
        gateway = Gateway(hosts=[host], port=40000, certificate=PEM)
        status = AgentStatus(gateway=gateway, beat=later, started_at=later)
        seen = Seen(job=JobInfo(job_id="8", state=JobState.RUNNING))
        given = record(facts=facts(created_at=later), job=Job(job_id="7"), seen=seen, status=status)
        given.name = Name(text="his", at=later)
        taken = own_record("alice", given, local=False)
        assert taken.status and taken.status.beat <= now() and taken.status.started_at <= now()
        assert (taken.status.gateway is not None) is stays and taken.seen is None
        assert taken.facts.created_at <= now()
        assert taken.name and taken.name.at and taken.name.at <= now()


def test_a_token_is_not_shown_by_what_prints_a_record() -> None:
    assert "t" * 43 not in repr(record(token="t" * 43))


def test_an_agents_later_words_rank_higher() -> None:
    began = ago(100)
    first = AgentStatus(started_at=began, beat=ago(60))
    second = AgentStatus(started_at=began, beat=ago(45))
    of_another = AgentStatus(started_at=ago(50), beat=ago(50))
    assert rank(first) < rank(second) < rank(of_another)


def test_squeue_says_whose_a_job_is_in_the_same_answer() -> None:
    line = "alice|7|RUNNING|viz|1|n1|1764320000|1764330000|None|x"
    jobs = parse_squeue(line, Asked("viz", "", "", hours=1), owners=True)
    assert jobs.owners == {"7": "alice"} and jobs.known["7"].node == "n1"
    assert (OWNER_FORMAT + SQUEUE_FORMAT).startswith("%u|%i|")


def test_one_squeue_is_asked_for_everybody_and_never_says_that_there_is_no_job(
    tmp_path: Path,
) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\nfor end; do end=${{end##*|}}; done\ncase "$*" in\n'
        f"*%64j*) for job in 'alice|{A}' 'bob|{A}x' 'bob|{A}' 'bob|other' 'bob|\nalice|{A[:-1]}z'; do\n"
        ' printf "%s|%s\\n" "$job" "$end"; done ;;\n'
        "*) echo 'alice|7|RUNNING|viz|1|n1|1764320000|1764330000|None|x' ;;\nesac\n"
    )
    for name, text in (
        ("scontrol", "echo ClusterName = c"),
        ("sacct", f"echo x >{tmp_path}/accounting"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
    for path in tmp_path.iterdir():
        path.chmod(0o755)

    async def ask() -> tuple[list[Snapshot], dict[str, str], str]:
        jobs = EverybodysJobs(MoonlightSite(scheduler="slurm", slurm_bin=str(tmp_path)))
        try:
            # What no job's number can be would make squeue refuse the whole question.
            wrong = {"abc", "-5", "2147483648", "0", "9" * 100, "7\n8"}
            both = await asyncio.gather(jobs.snapshot({"7", "8"} | wrong), jobs.snapshot({"7"}))
            return list(both), dict(await jobs.sessions()), await jobs.place()
        finally:
            await jobs.close()

    (first, second), named, place = asyncio.run(ask())
    assert first.owners == second.owners == {"7": "alice"} and set(first.jobs) == {"7"}
    assert not first.complete and not first.doubts and first.stale_since is None
    assert named == {A: "alice"} and place == "c"
    assert not (tmp_path / "accounting").exists()
    words = (tmp_path / "asked").read_text().splitlines()
    assert len(words) == 2 and not any("--me" in line for line in words)
    assert words[0].endswith("--jobs=7,8")


def test_what_was_derived_holds_until_slurm_says_something_else() -> None:
    running = JobInfo(job_id="7", state=JobState.RUNNING, node="n1")
    snapshot = Snapshot({"7": running}, complete=False, owners={"7": "alice"})
    session, _, _ = read("alice", A, snapshot, facts=facts(), job=Job(job_id="7"))
    derived = Derived.now(session, 60, False, running, snapshot, None)
    assert derived.holds(running.model_copy(), snapshot)
    assert not derived.holds(running.model_copy(update={"node": "n2"}), snapshot)
    assert not derived.holds(None, snapshot)
    assert not derived.holds(running, replace(snapshot, stale_since=now(), stale_reason="away"))
    assert not derived.holds(running, replace(snapshot, doubts={"7": Doubt("unclear", now())}))
    assert not replace(derived, until=derived.until - 6).holds(running, snapshot)
    stopping = session.model_copy(update={"status": State.STOPPING})
    assert not replace(derived, session=stopping).holds(running, snapshot)
    ended = replace(derived, ended=True, until=derived.until - 1000)
    assert ended.holds(None, replace(snapshot, stale_since=now()))


@pytest.mark.parametrize(
    "state, job, words, seconds",
    [
        (State.PENDING, JobState.PENDING, None, 20),
        (State.PENDING, None, None, 5),
        (State.RUNNING, JobState.RUNNING, 2, 18),  # until it should have spoken
        (State.RUNNING, JobState.RUNNING, 16, 5),
        (State.RUNNING, JobState.RUNNING, 300, 5),
        (State.RUNNING, JobState.RUNNING, -60, 5),  # a clock that is wrong tells nothing
        (State.RUNNING, JobState.RUNNING, None, 5),
        (State.RUNNING, None, 2, 5),
        (State.STARTING, JobState.RUNNING, 2, 5),
        (State.PENDING, JobState.RUNNING, None, 5),
    ],
)
def test_what_was_derived_holds_until_time_alone_may_change_it(
    state: State, job: JobState | None, words: float | None, seconds: float
) -> None:
    info = JobInfo(job_id="7", state=job) if job else None
    snapshot = Snapshot({"7": info} if info else {}, complete=False)
    session, _, _ = read("alice", A, snapshot, facts=facts(), job=Job(job_id="7"))
    session = session.model_copy(update={"status": state})
    spoke = None if words is None else ago(words)
    derived = Derived.now(session, 60, False, info, snapshot, spoke)
    assert replace(derived, until=derived.until - (seconds - 2)).holds(info, snapshot)
    assert not replace(derived, until=derived.until - (seconds + 1)).holds(info, snapshot)
