"""A session as its own viewer is told of it: what its agent knows, without a portal."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.agent.own_session import OwnSession
from moonlight_spawner.model.files import private_directory, write_private
from moonlight_spawner.model.records import AgentStatus, Facts, Spec, Stop
from moonlight_spawner.model.session import Gateway, Resources, now

ID = "ml-alice-abcdefghij"
ONE = f"sessions/{ID}"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return private_directory(tmp_path / ID)


@pytest.fixture
def spec(resources: Resources, directory: Path) -> Spec:
    return Spec(
        session_id=ID,
        image_id="xfce",
        host="selkies",
        request=resources,
        max_width=2560,
        max_height=1440,
        display_min=10,
        display_max=99,
        port_min=47989,
        port_max=48989,
        gateway_address="",
        gateway_plain_http=False,
        log_dir=str(directory),
        scheduler="slurm",
    )


@pytest.fixture
def status() -> AgentStatus:
    there = Gateway(hosts=["n1"], port=40000, certificate="PEM")
    return AgentStatus(phase="running", node="n1", gateway=there, notes=["No sound."])


@pytest.fixture
def own(directory: Path, spec: Spec, status: AgentStatus) -> OwnSession:
    facts = {"user": "alice", "image_name": "XFCE", "door": "ood"}
    data = {name: getattr(spec, name) for name in ("session_id", "image_id", "host", "scheduler")}
    known = Facts.model_validate({**data, **facts, "request": spec.request})
    write_private(directory / "facts.json", known.model_dump_json())
    return OwnSession(directory, spec, status, _control)


async def _control(method: str, path: str, body: Any) -> tuple[int, Any]:
    if path == "/keep":
        return 200, {"idle_minutes": 30.0, "idle_ends_at": None}
    if method == "PUT":
        return 403, {"message": f"{path} is shut.", "code": "clipboard_off"}
    return 200, {"text": "copied", "truncated": False}


def ask(own: OwnSession, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    return asyncio.run(own.ask(method, path, body))


def test_it_is_told_as_from_every_door_and_nothing_of_the_gateway(
    own: OwnSession, status: AgentStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    code, one = ask(own, "GET", ONE)
    assert (code, [one]) == (200, ask(own, "GET", "sessions")[1]["sessions"])
    expected = {"session_id": ID, "user": "alice", "image_name": "XFCE", "status": "running"}
    expected |= {"slurm_job_id": "7", "node": "n1", "door": "ood"}
    assert {name: one[name] for name in expected} == expected
    assert one["notes"] == ["No sound."]
    assert one["stream_url"] == "./desktop/" and "PEM" not in json.dumps(one)
    at = status.started_at + timedelta(minutes=own.session().request.minutes)
    assert own.session().ends_at == at
    status.ends_at = now()
    assert own.session().ends_at == status.ends_at


def test_a_stop_is_on_record_once_and_its_end_is_told_with_its_reason(
    own: OwnSession, status: AgentStatus, directory: Path
) -> None:
    for _ in range(2):
        code, one = ask(own, "DELETE", ONE)
        assert (code, one["status"]) == (202, "stopping")
    stop = Stop.model_validate_json((directory / "stop.json").read_bytes())
    assert (directory / "stop.json").stat().st_mode & 0o777 == 0o600
    status.phase, status.ending = "stopping", stop.end()
    ended = own.as_json()
    assert (ended["status"], ended["reason"]) == ("cancelled", "You stopped it.")
    assert ended["ended_at"] and ended["ends_at"] is None


def test_a_stop_that_cannot_be_put_on_record_is_said_so(own: OwnSession, directory: Path) -> None:
    directory.rename(directory.with_name("moved"))
    code, answer = ask(own, "DELETE", ONE)
    assert (code, answer["error"]["code"]) == (507, "records_unwritable")
    assert own.session().status.value == "running"


def test_the_clipboard_is_the_nodes_and_its_refusals_have_the_apis_form(own: OwnSession) -> None:
    assert ask(own, "GET", f"{ONE}/clipboard") == (200, {"text": "copied", "truncated": False})
    code, answer = ask(own, "PUT", f"{ONE}/clipboard", {"text": "x"})
    assert (code, answer["error"]) == (403, {"code": "clipboard_off"})
    assert answer["message"] == "/clipboard is shut."


def test_it_can_be_kept_and_is_told_when_it_ends_for_want_of_use(
    own: OwnSession, status: AgentStatus
) -> None:
    status.idle_minutes, status.idle_ends_at = 30.0, now()
    told = ask(own, "GET", ONE)[1]
    assert (told["idle_minutes"], bool(told["idle_ends_at"])) == (30.0, True)
    kept = {"idle_minutes": 30.0, "idle_ends_at": None}
    assert ask(own, "POST", f"{ONE}/keep") == (200, kept)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "sessions/ml-alice-zzzzzzzzzz"),
        ("DELETE", "sessions/ml-alice-zzzzzzzzzz"),
        ("POST", "sessions"),
        ("GET", f"{ONE}/native"),
        ("GET", f"{ONE}/../{ID}"),
        ("GET", "sessions/"),
    ],
)
def test_nothing_else_is_there(own: OwnSession, directory: Path, method: str, path: str) -> None:
    code, answer = ask(own, method, path)
    assert (code, answer["error"]["code"]) == (404, "not_found")
    assert not (directory / "stop.json").exists()


def test_the_sizes_are_those_of_this_session(own: OwnSession) -> None:
    limits = ask(own, "GET", "site")[1]["limits"]
    assert limits["width"] == {"min": 640, "max": 2560}
    assert limits["height"] == {"min": 480, "max": 1440}


def test_without_its_facts_it_is_told_as_far_as_the_agent_knows(
    directory: Path, spec: Spec, status: AgentStatus
) -> None:
    session = OwnSession(directory, spec, status, _control).session()
    assert (session.session_id, session.image_name) == (ID, "xfce")


def test_invitations_are_the_nodes_and_how_many_look_on_is_the_sessions(
    directory: Path, spec: Spec, status: AgentStatus
) -> None:
    asked = []

    async def control(method: str, path: str, body: Any) -> tuple[int, Any]:
        asked.append((method, path, body))
        return 404, {"message": "It has ended.", "code": "no_invitation"}

    own = OwnSession(directory, spec, status, control, lambda: 2)
    assert ask(own, "GET", ONE)[1]["guests"] == 2
    code, answer = ask(own, "DELETE", f"{ONE}/sharing/1f")
    assert (code, answer["error"]) == (404, {"code": "no_invitation"})
    ask(own, "POST", f"{ONE}/sharing", {"role": "view"})
    ask(own, "GET", f"{ONE}/sharings")
    assert asked == [
        ("DELETE", "/sharing/1f", None),
        ("POST", "/sharing", {"role": "view"}),
    ]
