"""`moonlight-hpc ood wait`, which a job asks whether its desktop can be opened: records and a gateway
that the test plays, processes that are real."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.model.session import End, Gateway, State
from moonlight_spawner.ood import wait
from moonlight_spawner.ood.wait import NotOpened, Opening, wait_until_open
from moonlight_spawner.sessions.manager import SessionManager
from moonlight_spawner.site.options import MoonlightSite

from tests.jupyter.node import Node
from tests.jupyter.sessions import TOKEN, Records, a_process, current_user, site_config


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with a_process() as job:
        yield Records(tmp_path / "sessions", job)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path) as node:
        yield node


@pytest.fixture
def job(tmp_path: Path) -> Path:
    directory = tmp_path / "job"
    directory.mkdir(mode=0o700)
    return directory


def opened(records: Records, job: Path, pid: int | None = None, host: str = "") -> Opening:
    async def work() -> Opening:
        manager = SessionManager(MoonlightSite(config=site_config(records.store.root.parent)))
        try:
            process = os.getpid() if pid is None else pid
            return await wait_until_open(manager, current_user(), job, process, host)
        finally:
            await manager.close()

    return asyncio.run(work())


def said(job: Path, **words: object) -> None:
    (job / "session.json").write_text(json.dumps(words))


@pytest.fixture
def ended() -> Iterator[int]:
    """A process that has ended and that nobody has collected, as a job's shell has not."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        yield child.pid


def test_an_open_gateway_is_told_with_its_token(records: Records, node: Node, job: Path) -> None:
    session_id = records.add(gateway=node.gateway)
    said(job, session_id=session_id)
    told = opened(records, job, host="127.0.0.1")
    assert told.line() == f"{node.gateway.port} {TOKEN} {session_id}"
    assert told.notes == ()
    progress = json.loads((job / "progress.json").read_text())
    assert (progress["session_id"], progress["status"]) == (session_id, "running")
    assert TOKEN not in (job / "progress.json").read_text()
    assert (job / "progress.json").stat().st_mode & 0o777 == 0o600
    # A name that leads elsewhere from here may lead here from the portal: it is said, no more.
    told = opened(records, job, host="nowhere.invalid")
    assert "nowhere.invalid, by which the portal calls this node, does not" in told.notes[0]


def test_what_here_refused_is_the_reason(records: Records, job: Path) -> None:
    said(job, message="hours is 9, but this site allows 0.1 to 8.", error={"code": "x"})
    with pytest.raises(NotOpened, match=r"^hours is 9, but"):
        opened(records, job)


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"session_id": 1}'])
def test_a_program_that_ended_without_a_word(
    records: Records, job: Path, ended: int, text: str | None
) -> None:
    if text is not None:
        (job / "session.json").write_text(text)
    with pytest.raises(NotOpened, match="ended before it began"):
        opened(records, job, ended)


def test_a_directory_of_somebody_elses_is_a_sentence_and_a_full_disk_no_end(
    records: Records, node: Node, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    said(job, session_id=records.add(gateway=node.gateway))
    with monkeypatch.context() as patch:
        patch.setattr(wait, "write_private", full)
        assert opened(records, job).token == TOKEN
    os.chown(job, 12345, 12345)
    with pytest.raises(NotOpened, match=r"session\.json cannot be read: this is not yours"):
        opened(records, job)


def test_a_session_that_failed_is_told_with_the_end_of_its_log(
    records: Records, job: Path, ended: int
) -> None:
    end = End(state=State.FAILED, code="XFailed", reason="X did not start.")
    session_id = records.add(phase="ended", end=end)
    (records.store.directory(session_id) / "agent.log").write_text("one\ntwo\n")
    said(job, session_id=session_id)
    with pytest.raises(NotOpened, match=r"X did not start\.\nThe end of its log:\none\ntwo"):
        opened(records, job, ended)


def test_a_gateway_that_does_not_answer_is_not_waited_for_without_end(
    records: Records, node: Node, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait, "_ANSWER_SECONDS", 0.5)
    session_id = records.add(gateway=node.gateway)
    said(job, session_id=session_id)
    node.go_away()
    with pytest.raises(NotOpened, match=r"The desktop cannot be opened: .* cannot be reached"):
        opened(records, job)


def test_nobody_else_is_shown_the_token(
    records: Records, node: Node, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait, "_ANSWER_SECONDS", 0.5)
    impostor: Gateway = node.impostor()
    said(job, session_id=records.add(gateway=impostor))
    with pytest.raises(NotOpened, match="cannot be opened"):
        opened(records, job)
    assert not any(TOKEN.encode() in head for head in node.impostor_heads)
