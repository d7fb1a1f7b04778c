"""A whole portal, with a real Slurm, a Redis and nginx: what nodes tell it reaches the page, each sees
theirs alone, and what does not end by itself is ended."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.model.session import now
from playwright.sync_api import Browser, Page

from tests.browser.desktop import press_launch, session_card, wait_running
from tests.cluster.users import TestUser, run_as
from tests.support.chromium import person
from tests.support.long_ago import one_of_long_ago
from tests.support.waiting import PATIENCE, STILL, wait_for

from .login_page import log_in, login_page
from .place import Place
from .test_users import paths_of, refused_as
from .whole import Whole, agents_of, standing_still, stream_of

SESSIONS = "/api/moonlight/sessions"
MARKUP = "<img src=x onerror=\"window.broken='yes'\"><script>window.broken='yes'</script>"

#: Each state of the steps that the page shows, in the order of time.
WATCH = """() => {
  window.shown = [];
  new MutationObserver(() => {
    const steps = [...document.querySelectorAll('[data-testid=step]')];
    const states = Object.fromEntries(steps.map((step) => [step.dataset.step, step.dataset.state]));
    if (steps.length) window.shown.push(states);
  }).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""
ORDER = ["waiting", "running", "done"]
MAKES = "this service makes the portal's rounds"


@pytest.fixture(scope="module")
def desktop(whole: Whole) -> dict[str, Any]:
    """A session of alice's that runs: one that is there, or a new one."""
    place = whole.place
    with place.client(place.token(place.alice)) as client:
        found = client.get(SESSIONS, params={"state": "running"}).json()["sessions"]
        if found:
            running: dict[str, Any] = found[0]
            return running
        session_id = _launched(place, place.alice)
        return wait_for(lambda: _in_state("running", client, session_id))


@pytest.fixture(scope="module")
def a_limit(whole: Whole) -> Iterator[None]:
    """1,000 hours of GPUs for all, which the service reads with its own account."""
    of = ("modify", "qos", "moonlight", "set")
    whole.cluster.sacctmgr(*of, "GrpTRESMins=gres/gpu=60000")
    yield
    whole.cluster.sacctmgr(*of, "GrpTRESMins=gres/gpu=-1")


def _in_state(state: str, client: httpx.Client, session_id: str) -> dict[str, Any] | None:
    session: dict[str, Any] = client.get(f"{SESSIONS}/{session_id}").json()
    assert session["status"] == state or not session["ended_at"], session
    return session if session["status"] == state else None


@pytest.mark.parametrize("told", [True, False], ids=["by the node", "by the user's side"])
@pytest.mark.usefixtures("a_limit")
def test_the_steps_of_a_start_appear_one_by_one(whole: Whole, browser: Browser, told: bool) -> None:
    """In English what the node says, in Korean where it cannot say anything to the portal."""
    place = whole.place
    user, language, label, cost = (
        (place.alice, "en-US", "Start the stream", "of 1,000 GPU-hours")
        if told
        else (place.bob, "ko-KR", "화면 전송 시작", "1,000 GPU시간 중")
    )
    place.issuer.page = login_page({str(user): place.token(user)})
    with person(browser, language, ignore_https_errors=True) as context:
        page = log_in(context, place.origin, str(user))
        page.get_by_test_id("cost").get_by_text(cost).wait_for()
        page.evaluate(WATCH)
        if told:
            session_id = press_launch(page)
            with whole.sides_out_of_reach():  # so nobody but the node tells anything
                _see_it_start(page, user, session_id, label)
            _markup_is_text(whole, page, user, session_id)
        else:
            with place.beside(portal_callback_url="https://127.0.0.1:1") as other:
                session_id = _launched(other, user)
                _see_it_start(page, user, session_id, label)
            log = whole.directory(user, session_id) / "agent.log"
            assert "the portal cannot be told of this session" in log.read_text()
        shown = page.evaluate("window.shown")
        for before, after in itertools.pairwise(shown):
            assert all(ORDER.index(after[i]) >= ORDER.index(before[i]) for i in before), shown


def _launched(place: Place, user: TestUser) -> str:
    """A new session's id."""
    with place.direct() as client:
        client.headers["Authorization"] = f"Bearer {place.token(user)}"
        session_id: str = client.post(SESSIONS, json={}).json()["session_id"]
    return session_id


def _see_it_start(page: Page, user: TestUser, session_id: str, label: str) -> None:
    """What is done, what is being done and what comes, while the start is in the middle of it."""
    card = session_card(page, session_id, "starting")
    with standing_still(stream_of(user, session_id)):
        for step, state in (
            *(("host", "running"), ("claim", "done")),
            *(("xserver", "done"), ("gateway", "waiting")),
        ):
            card.locator(f"[data-step={step}][data-state={state}]").wait_for()
        assert label in card.locator("[data-step=host]").inner_text()
    wait_running(page, session_id)


def _markup_is_text(whole: Whole, page: Page, user: TestUser, session_id: str) -> None:
    """A user may say what he likes of his own session; the page shows it, and does nothing of it."""
    _say(whole.place, whole.directory(user, session_id), notes=[MARKUP], node=MARKUP)
    card = session_card(page, session_id)
    assert wait_for(lambda: MARKUP in card.inner_text())
    made_of_it = card.locator("img[src=x], script")  # the card has a picture of its own
    assert page.evaluate("window.broken") is None and not made_of_it.count()


def _say(place: Place, directory: Path, **words: Any) -> None:
    """What the agent of the session in ``directory`` has said last, and this; with its token."""
    status = AgentStatus.model_validate_json((directory / "status.json").read_text())
    status = status.model_copy(update={"beat": now(), "sequence": int(time.time() * 100), **words})
    token = json.loads((directory / "callback.json").read_text())["token"]
    with place.direct() as client:
        answer = client.post(
            f"/api/moonlight/callback/{directory.name}",
            content=status.model_dump_json(),
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answer.status_code == 204, answer.text


def test_each_sees_theirs_alone_by_every_path(
    whole: Whole, desktop: dict[str, Any], tmp_path: Path
) -> None:
    place, session_id = whole.place, desktop["session_id"]
    directory = whole.directory(place.alice, session_id)
    # REST.
    with place.client(place.token(place.bob)) as client:
        his = client.get(SESSIONS).json()["sessions"]
        assert {session["user"] for session in his} <= {place.bob.name}
        for method, path in paths_of(desktop):
            for whose in ("", f"{'&' if '?' in path else '?'}user={place.alice}"):
                answer = client.request(method, path + whose)
                assert answer.status_code == refused_as(method, path + whose), (
                    method,
                    path,
                    answer.text,
                )
    with place.client(place.admin_token()) as client:
        everybodys = client.get(SESSIONS, params={"user": "all"}).json()["sessions"]
        assert session_id in [session["session_id"] for session in everybodys]
        for method, path in paths_of(desktop)[3:]:
            joined = f"{path}{'&' if '?' in path else '?'}user={place.alice}"
            assert client.request(method, joined).status_code == refused_as(method, joined), joined
    # The stream and its signalling, by the handshake that opens them.
    for path in (f"{desktop['stream_url']}api/websockets", "/moonlight/signaling?session="):
        path += "" if path.endswith("websockets") else session_id
        _opened(place, path, place.token(place.alice)).close()
        for other in (place.token(place.bob), place.admin_token()):
            with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
                _opened(place, path, other)
    # The gateway, from the node: its place is no secret, and no other session's token opens it.
    gateway = json.loads((directory / "status.json").read_text())["gateway"]
    for wrong in ({}, {"Authorization": f"Bearer {'t' * 43}"}):
        address = f"https://{gateway['hosts'][0]}:{gateway['port']}/"
        assert httpx.get(address, headers=wrong, verify=False).status_code in (401, 403)
    # Redis.
    asked = run_as(place.bob, [sys.executable, "-c", _ASK_REDIS, str(whole.redis.socket)])
    assert asked.stdout.strip() == "AuthenticationError", asked.stderr
    token = (directory / "token").read_bytes().strip()
    with whole.redis.client() as client:
        kept = client.hgetall(f"moonlight:session:{session_id}")
        assert kept[b"user"] == place.alice.name.encode() and b"secret:token" in kept
        assert not any(token in data for data in kept.values())
        assert not client.zscore(f"moonlight:user:{place.bob}", session_id)
    _events_are_of_ones_own(whole, session_id, tmp_path)


_ASK_REDIS = """
import redis, sys
try:
    print(redis.Redis(unix_socket_path=sys.argv[1], protocol=2).keys("*"))
except redis.RedisError as e:
    print(type(e).__name__)
"""


def _stream(place: Place, desktop: dict[str, Any]) -> websocket.WebSocket | None:
    """One that is alone: the host closes another one while it has not seen the end of the first."""
    path = f"{desktop['stream_url']}api/websockets"
    stream = _opened(place, path, place.token(place.alice))
    with contextlib.suppress(websocket.WebSocketConnectionClosedException):
        if _answers(stream):
            return stream
    return None


def _answers(stream: websocket.WebSocket) -> bool:
    """Whether the streaming host at the other end does."""
    stream.ping("still there?")
    while True:
        kind, frame = stream.recv_data_frame(control_frame=True)
        if kind == websocket.ABNF.OPCODE_PONG:
            return bool(frame.data == b"still there?")


def _opened(place: Place, path: str, token: str) -> websocket.WebSocket:
    return websocket.create_connection(
        place.origin.replace("http", "ws", 1) + path,
        header=[f"Authorization: Bearer {token}"],
        origin=place.origin,
        sslopt={"cert_reqs": ssl.CERT_NONE},
        timeout=PATIENCE,
    )


def _events_are_of_ones_own(whole: Whole, session_id: str, tmp_path: Path) -> None:
    """All are told of a change; whose it is hears of it, and nobody else."""
    place, word = whole.place, "a word of alice's"
    argv = [sys.executable, "-c", _LISTEN, f"{place.origin}/api/moonlight/events"]
    admin = place.token(place.bob, groups=["hpc-admins"])
    tokens = [place.token(place.alice), place.token(place.bob), admin]
    heard = [tmp_path / f"heard-{number}" for number in range(len(tokens))]
    with contextlib.ExitStack() as stack:
        for token, path in zip(tokens, heard, strict=True):
            out = stack.enter_context(path.open("w"))
            listener = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, text=True)
            stack.enter_context(listener)
            stack.callback(listener.kill)
            assert listener.stdin
            listener.stdin.write(token)
            listener.stdin.close()
        wait_for(lambda: all("event: sessions" in path.read_text() for path in heard))
        _say(place, whole.directory(place.alice, session_id), notes=[word])
        wait_for(lambda: word in heard[0].read_text())
        time.sleep(STILL)
    for path in heard[1:]:
        assert session_id not in path.read_text() and word not in path.read_text()


_LISTEN = """
import httpx, sys
headers = {"Authorization": f"Bearer {sys.stdin.read()}"}
with httpx.stream("GET", sys.argv[1], headers=headers, verify=False, timeout=None) as events:
    for line in events.iter_lines():
        if line and not line.startswith("retry"):
            print(line, flush=True)
"""


def test_a_file_goes_to_its_users_home_and_back(whole: Whole, desktop: dict[str, Any]) -> None:
    """Through nginx and the service, in more than nginx takes by itself; of its user alone."""
    place, data = whole.place, bytes(range(256)) * (3 << 12)
    files = f"{desktop['stream_url']}files/"
    name = base64.b64encode(b"mesh.dat").decode()
    tus = {"Tus-Resumable": "1.0.0"}
    new = {**tus, "Upload-Length": str(len(data)), "Upload-Metadata": f"filename {name}"}
    piece = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream", **tus}
    for other in (place.token(place.bob), place.admin_token()):
        with place.client(other) as client:
            assert client.post(f"{files}uploads", headers=new).status_code == 404
    with place.client(place.token(place.alice)) as client:
        where = client.post(f"{files}uploads", headers=new).headers["location"]
        sent = client.patch(f"{files}{where}", headers=piece, content=data)
        assert sent.status_code == 204, sent.text
        at = sent.headers["moonlight-file"]
        ticket = client.post(f"{files}fetch", json={"at": at}).json()
        assert client.get(files + ticket["href"]).content == data
    with place.client(place.token(place.bob)) as client:
        assert client.get(files + ticket["href"]).status_code == 404
    (there,) = [one for one in place.alice.home.rglob("mesh.dat")]
    assert there.read_bytes() == data and there.stat().st_uid == place.alice.uid
    there.unlink()


def test_without_its_redis_calls_are_told_to_come_again_and_streams_go_on(
    whole: Whole, desktop: dict[str, Any]
) -> None:
    place, one = whole.place, f"{SESSIONS}/{desktop['session_id']}"
    stream = wait_for(lambda: _stream(place, desktop), interval=0.3)
    with place.client(place.token(place.alice)) as client:

        def shown() -> bool:
            return client.get(one).status_code == 200

        def refused() -> None:
            for path in (SESSIONS, one):
                answer = wait_for(lambda path=path: _other_than(200, client, path))
                assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
                assert answer.json()["error"]["code"] == "store_unavailable"
            assert _answers(stream), "it goes on"

        whole.redis.stop()
        try:
            refused()
        finally:
            whole.redis.start()
        wait_for(shown)
        with whole.redis.client() as store:
            store.config_set("maxmemory", 1)
            try:
                assert shown(), "what is there can be read"
                assert _answers(stream)
            finally:
                store.config_set("maxmemory", 0)
            store.flushall()  # found again in Slurm and in the users' own records
        wait_for(shown)
        assert _answers(stream)
    stream.close()


def _other_than(status: int, client: httpx.Client, path: str) -> httpx.Response | None:
    answer = client.get(path)
    return answer if answer.status_code != status else None


def test_what_does_not_end_by_itself_is_ended_by_the_service_that_is_left(
    whole: Whole, desktop: dict[str, Any]
) -> None:
    """One is past its time and its agent hangs, one is not ready in time, and one ended long ago. The
    machine with the service that made the rounds dies before any of that is so; another one has the other."""
    place, alice, bob = whole.place, whole.place.alice, whole.place.bob
    wait_for(lambda: MAKES in place.log.read_text())
    with place.beside("portal-2", portal_start_minutes=0.02) as left, left.direct() as client:
        tokens = [{"Authorization": f"Bearer {place.token(user)}"} for user in (alice, bob)]
        overdue = desktop["session_id"]
        late = _launched(left, bob)
        wait_for(lambda: _stream(left, desktop), interval=0.3).close()
        try:
            agents = agents_of(alice, overdue)
            assert agents
            with standing_still([*agents, *stream_of(bob, late)]):
                assert place.process
                place.process.kill()
                _say(left, whole.directory(alice, overdue), ends_at=now() - timedelta(hours=1))
                old = one_of_long_ago(alice)
                with whole.redis.client() as store:  # so that her own records are read again
                    store.hdel("moonlight:adopted", alice.name)
                wait_for(lambda: MAKES in left.log.read_text())
                ends = {}
                for session_id, token in ((overdue, tokens[0]), (late, tokens[1])):
                    one = f"{SESSIONS}/{session_id}"
                    ends[session_id] = wait_for(lambda: _ended(client, one, token))  # noqa: B023
                wait_for(lambda: f"forgot user={alice} sessions={old.name}" in left.log.read_text())
        finally:
            place.start()
    assert [(ends[i]["status"], ends[i]["reason_code"]) for i in (overdue, late)] == [
        ("timeout", "TimeLimit"),
        ("failed", "StartTimeout"),
    ]
    said = left.log.read_text()
    assert f"stopped (overdue) session={overdue} user={alice}" in said
    assert f"stopped (start_timeout) session={late} user={bob}" in said and "Traceback" not in said
    for end in ends.values():  # their jobs, too
        whole.cluster.wait_job(end["slurm_job_id"], "CANCELLED")
    assert not old.exists()
    with place.client(place.token(alice)) as client:
        assert client.delete(f"{SESSIONS}/{overdue}/record").json() == {"deleted": [overdue]}
        assert overdue not in client.get(SESSIONS).text
    with whole.redis.client() as store:
        assert not store.exists(f"moonlight:session:{overdue}")
        assert not store.exists(f"moonlight:session:{old.name}")


def _ended(client: httpx.Client, path: str, token: dict[str, str]) -> dict[str, Any] | None:
    session: dict[str, Any] = client.get(path, headers=token).json()
    return session if session["ended_at"] else None
