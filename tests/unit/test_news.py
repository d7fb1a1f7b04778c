"""What an agent tells the portal: the newest, again and again until it is heard, and nothing to wait for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent import callback
from moonlight_spawner.agent.callback import News
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.agent.status import StatusFile
from moonlight_spawner.model.limits import MAX_STATUS_BYTES
from moonlight_spawner.model.records import AgentStatus, Callback
from moonlight_spawner.model.sentences import Said
from moonlight_spawner.model.session import StepState

from tests.support.told import Told
from tests.support.waiting import PATIENCE, wait_for


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(callback, "_LONGEST_PAUSE_SECONDS", 0.02)


@pytest.fixture
def told() -> Iterator[Told]:
    with Told() as portal:
        yield portal


def status(sequence: int, **more: object) -> AgentStatus:
    return AgentStatus(sequence=sequence, **more)  # type: ignore[arg-type]


def test_each_change_is_told_and_counted(told: Told, tmp_path: Path) -> None:
    record = StatusFile.new(tmp_path)
    news = News(told.callback())
    record.tell = news.tell
    record.step("claim", StepState.RUNNING)
    wait_for(lambda: told.statuses)
    record.step("claim", StepState.DONE, "display :7")
    assert news.end(PATIENCE)
    assert told.statuses[-1].steps[0].detail == "display :7"
    assert [each.sequence for each in told.statuses] == [1, 2]
    assert told.statuses[-1] == record.status == StatusFile.load(tmp_path).status
    assert told.heads[0]["authorization"] == "Bearer YQ.the-secret-of-one-session"


def test_an_agent_keeps_no_more_notes_than_are_read(tmp_path: Path) -> None:
    record = StatusFile.new(tmp_path)
    for number in range(300):
        record.note(f"note {number}")
    assert StatusFile.load(tmp_path).status.notes[-1] == "note 299"
    assert len(record.status.notes) == 64


def test_the_newest_alone_is_told_when_the_portal_is_back(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    told.answer = 503
    news = News(told.callback())
    for sequence in range(1, 10):
        news.tell(status(sequence))
    wait_for(lambda: told.asked > 3)
    told.answer = 204
    assert news.end(PATIENCE)
    assert [each.sequence for each in told.statuses] == [9]
    words = [record.message for record in caplog.records]
    assert words == [
        "the portal cannot be told of this session, and will be: 127.0.0.1 answers with status 503",
        "the portal can be told again",
    ]


def test_a_portal_that_is_not_there_is_waited_for_by_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    gone = Callback(url=f"http://127.0.0.1:{port}/x", token="YQ.the-secret-of-one-session")
    news = News(gone)
    news.tell(status(1))
    wait_for(lambda: "cannot be told" in caplog.text)
    assert "does not answer this node (" in caplog.text and "portal_callback_url" in caplog.text
    assert not news.end(0.0)
    assert "secret-of-one" not in caplog.text


def test_one_that_never_answers_is_asked_once_at_a_time() -> None:
    with Told(answer=None) as portal:
        news = News(portal.callback())
        for sequence in range(1, 100):
            news.tell(status(sequence))
        wait_for(lambda: portal.asked)
        assert not news.end(0.1)
        assert portal.asked == 1


@pytest.mark.parametrize("answer", [400, 401, 403, 405, 413, 301, 302, 307, 308])
def test_a_refusal_is_final_and_followed_nowhere(
    told: Told, answer: int, caplog: pytest.LogCaptureFixture
) -> None:
    told.answer = answer
    news = News(told.callback())
    news.tell(status(1))
    wait_for(lambda: caplog.records)
    told.answer = 204
    news.tell(status(2))
    assert not news.end(PATIENCE)
    assert (told.asked, told.statuses) == (1, [])
    what = "portal_key_file" if answer == 401 else "portal_callback_url"
    (said,) = (r.message for r in caplog.records)
    assert said.startswith(
        f"the portal is told no more of this session: 127.0.0.1 answers with status {answer}: "
    )
    assert what in said


def test_a_session_that_is_not_known_yet_is_told_again_and_not_for_ever(told: Told) -> None:
    told.answer = 404
    news = News(told.callback())
    news.tell(status(1))
    wait_for(lambda: told.asked > 1)
    told.answer = 204
    wait_for(lambda: told.statuses)
    told.answer, told.asked = 404, 0
    news.tell(status(2))
    assert not news.end(PATIENCE)
    assert told.asked == callback._MOST_UNKNOWN + 1


def test_what_is_told_has_bounds(told: Told) -> None:
    news = News(told.callback())
    news.tell(status(1, notes=[f"{i}: " + "x" * 2000 for i in range(100)]))
    assert news.end(PATIENCE)
    assert [note[:3] for note in told.statuses[0].notes] == [f"{i}:" for i in range(92, 100)]
    assert int(told.heads[0]["content-length"]) < MAX_STATUS_BYTES


def test_the_certificate_is_looked_at(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tls, certificate = make_certificate(tmp_path, "a", ["127.0.0.1"])
    with Told(tls=tls) as portal:
        for ca in (None, make_certificate(tmp_path, "b", ["127.0.0.1"])[1]):
            caplog.clear()
            news = News(portal.callback(ca=ca))
            news.tell(status(1))
            wait_for(lambda: "127.0.0.1 is not trusted on this node" in caplog.text)
            assert "portal_callback_ca_file has to have its authority" in caplog.text
            assert not news.end(0.0)
        assert not portal.asked
        news = News(portal.callback(ca=certificate))
        news.tell(status(2))
        assert news.end(PATIENCE)
        assert portal.statuses[0].sequence == 2


def test_a_certificate_of_another_name_is_told_from_one_of_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tls, certificate = make_certificate(tmp_path, "portal.site.org", ["portal.site.org"])
    with Told(tls=tls) as portal:
        news = News(portal.callback(ca=certificate))
        news.tell(status(1))
        wait_for(lambda: "shows a certificate of another name" in caplog.text)
        assert "portal_callback_url has to have a name that is in it" in caplog.text
        assert not news.end(0.0) and not portal.asked


def test_proxies_of_the_users_are_not_asked(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    news = News(told.callback())
    news.tell(status(1))
    assert news.end(PATIENCE)


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\0", '{"url": 1, "token": "x"}'])
def test_a_damaged_file_is_no_callback(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert News.of(tmp_path) is None and not caplog.records
    (tmp_path / "callback.json").write_text(text)
    assert News.of(tmp_path) is None
    assert not text or "told nothing" in caplog.text


def test_a_step_is_told_by_the_code_of_what_it_came_to_last(tmp_path: Path) -> None:
    """A page says codes in its language: one of before would tell of ports that somebody took."""
    record = StatusFile.new(tmp_path)
    claim = next(step for step in record.status.steps if step.id == "claim")
    first = Said.by("Claimed", "display :1, ports from 47000", display="1", port="47000")
    record.step("claim", StepState.DONE, first)
    assert (claim.detail_code, claim.detail_params["port"]) == ("Claimed", "47000")
    record.detail("claim", Said.by("Claimed", "display :1, ports from 48000", port="48000"))
    assert claim.detail == "display :1, ports from 48000"
    assert claim.detail_params == {"port": "48000"}
    record.detail("claim", "display :2")
    assert (claim.detail, claim.detail_code, claim.detail_params) == ("display :2", "", {})
