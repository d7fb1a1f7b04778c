"""Who may say what of whose session to the portal, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_jupyter.portal import callback as handling
from moonlight_spawner.cli.user_side import _callback
from moonlight_spawner.model.errors import InvalidRequest, NotFound
from moonlight_spawner.model.limits import MAX_STATUS_BYTES
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.model.session import Gateway, new_session_id, now
from moonlight_spawner.portal import protocol
from moonlight_spawner.portal.callback import Callbacks, token_of
from moonlight_spawner.site.options import MoonlightSite
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from traitlets import TraitError

KEYS = [b"k" * 44, b"an older one, which counts as well"]
ALICES, BOBS = new_session_id("alice"), new_session_id("bob")
PEM = "-----BEGIN CERTIFICATE-----\nMIIBAA==\n-----END CERTIFICATE-----\n"


def site(**settings: Any) -> MoonlightSite:
    return MoonlightSite(**{"portal_callback_url": "https://portal.test", **settings})


def token(user: str, session_id: str, key: bytes = KEYS[0]) -> str:
    given = Callbacks(site(), [key]).given_to(user)
    assert given
    return token_of(given["seed"], session_id)


class Portal:
    """The handler over a manager that writes down what it is told."""

    def __init__(self, callbacks: Callbacks):
        self.heard_of: list[tuple[str, str, AgentStatus]] = []
        self.looked: list[str] = []
        self.fails: Exception | None = None
        self.site = SimpleNamespace(batch_system="slurm")
        self.seconds = 0.0
        watchers = SimpleNamespace(look=self.looked.append)
        self.hearing = handling.Hearing(self, watchers, callbacks, lambda: self.seconds)

    async def heard(self, user: str, session_id: str, status: AgentStatus) -> None:
        if self.fails:
            raise self.fails
        self.heard_of.append((user, session_id, status))

    @property
    def sequences(self) -> list[int]:
        return [status.sequence for _, _, status in self.heard_of]


Post = Callable[..., Awaitable[HTTPResponse]]


def serve(work: Callable[[Portal, Post], Awaitable[None]], **settings: Any) -> Portal:
    async def run() -> Portal:
        portal = Portal(Callbacks(site(**settings), KEYS))
        application = Application(
            handling.HANDLERS,
            moonlight_hearing=portal.hearing,
            moonlight_manager=portal,
            xsrf_cookies=True,
        )
        listening, port = bind_unused_port()
        server = HTTPServer(application)
        server.add_socket(listening)

        async def post(session_id: str, body: Any, bearer: str = "", **more: Any) -> HTTPResponse:
            data = body.model_dump_json().encode() if isinstance(body, AgentStatus) else body
            headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
            url = f"http://127.0.0.1:{port}/api/moonlight/callback/{session_id}"
            given = {"method": "POST", "headers": headers | more.pop("headers", {}), "body": data}
            return await AsyncHTTPClient().fetch(url, raise_error=False, **{**given, **more})

        try:
            await work(portal, post)
        finally:
            server.stop()
            await server.close_all_connections()
        return portal

    return asyncio.run(run())


def test_a_sessions_word_is_handed_on_and_a_page_looks() -> None:
    async def work(portal: Portal, post: Post) -> None:
        status = AgentStatus(sequence=1, node="n1")
        answer = await post(ALICES, status, token("alice", ALICES))
        assert (answer.code, answer.body) == (204, b"")
        status.sequence = 2  # it lives, and nothing else is new
        assert (await post(ALICES, status, token("alice", ALICES))).code == 204

    portal = serve(work)
    assert [(user, session) for user, session, _ in portal.heard_of] == [("alice", ALICES)] * 2
    assert portal.looked == ["alice"]


def test_every_key_of_the_service_counts_and_no_other_token() -> None:
    async def work(portal: Portal, post: Post) -> None:
        status = AgentStatus(sequence=1)
        right = token("alice", ALICES)
        name, _, secret = right.partition(".")
        wrong = {
            "": 401,
            token("alice", new_session_id("alice")): 401,  # of another session
            token("bob", ALICES): 404,  # his side makes it, and he has no such session
            token("alice", ALICES, b"another key"): 401,
            f"{token('bob', ALICES).partition('.')[0]}.{secret}": 401,
            f"{name}.{'0' * 64}": 401,
            f"{right}0": 401,
            right[:-1]: 401,
            f"{right}\u00e9": 401,
            "A" * 3000: 401,
            f"!!!!.{secret}": 401,
            f"{'A' * 401}.{secret}": 401,
            ".": 401,
        }
        for each, expected in wrong.items():
            answer = await post(ALICES, status, each)
            assert answer.code == expected, (each, answer.body)
            assert b"error" in answer.body and secret.encode() not in answer.body
        basic = {"Authorization": f"Basic {right}"}
        assert (await post(ALICES, status, headers=basic)).code == 401
        assert (
            await post(ALICES, status, headers={"Cookie": f"moonlight-login={right}"})
        ).code == 401
        assert not portal.heard_of
        for key in KEYS:
            status.sequence += 1
            assert (await post(ALICES, status, token("alice", ALICES, key))).code == 204

    assert serve(work).sequences == [2, 3]


def test_what_is_older_is_not_heard() -> None:
    async def work(portal: Portal, post: Post) -> None:
        first, second = AgentStatus(sequence=7), AgentStatus(sequence=8, phase="running")
        for status in (second, first, second):
            assert (await post(ALICES, status, token("alice", ALICES))).code == 204
        # The job was started again: another agent, which counts anew.
        before = second.started_at - timedelta(hours=1)
        older, again = AgentStatus(sequence=9, started_at=before), AgentStatus(sequence=1)
        for status in (older, again, older):
            assert (await post(BOBS, status, token("bob", BOBS))).code == 204

    assert serve(work).sequences == [8, 9, 1]


def test_what_could_not_be_kept_is_heard_again() -> None:
    async def work(portal: Portal, post: Post) -> None:
        status = AgentStatus(sequence=1)
        portal.fails = NotFound("There is no such session.")
        assert (await post(ALICES, status, token("alice", ALICES))).code == 404
        portal.fails = RuntimeError("the store")
        assert (await post(ALICES, status, token("alice", ALICES))).code == 500
        portal.fails = None
        assert (await post(ALICES, status, token("alice", ALICES))).code == 204

    assert serve(work).sequences == [1]


def test_a_node_whose_clock_is_ahead_says_nothing_of_the_future() -> None:
    """Nor is what it says the newest for good."""

    async def work(portal: Portal, post: Post) -> None:
        ahead = AgentStatus(sequence=1)
        ahead.beat = ahead.started_at = now().replace(year=2999)
        for status in (ahead, AgentStatus(sequence=2)):
            assert (await post(ALICES, status, token("alice", ALICES))).code == 204

    portal = serve(work)
    assert portal.heard_of[0][2].beat <= now() and portal.sequences == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nonsense",
        b"\xff",
        b"[" * 60_000,
        b'{"steps": 1}',
        b'{"beat": "yesterday"}',
        b'{"sequence": 1e400}',
        b'{"sequence": -1}',
        b'{"sequence": 1%s}' % (b"0" * 12),
        b'{"started_at": 1e300}',
        b'{"ends_at": "9999-12-31T23:59:59Z"}',
        b'{"beat": "0001-01-01T00:00:00+14:00"}',
        b'{"notes": %s1%s}' % (b"[" * 9000, b"]" * 9000),
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_hostile_words_are_refused(body: bytes) -> None:
    async def work(portal: Portal, post: Post) -> None:
        answer = await post(ALICES, body, token("alice", ALICES))
        assert (answer.code, json.loads(answer.body)["error"]["code"]) == (400, "invalid_request")

    assert not serve(work).heard_of


def test_a_gateway_is_believed_where_one_can_be_and_nobody_listens_in() -> None:
    async def work(portal: Portal, post: Post) -> None:
        for number, host in enumerate(("n1", "127.0.0.1", "localhost")):
            there = Gateway(hosts=[host], port=40000, certificate=PEM)
            status = AgentStatus(sequence=number + 1, gateway=there)
            assert (await post(ALICES, status, token("alice", ALICES))).code == 204

    believed = [status.gateway is not None for _, _, status in serve(work).heard_of]
    assert believed == [True, False, False]
    assert serve(work, portal_callback_url="http://10.0.0.5:8004").heard_of[0][2].gateway is None


def test_long_words_are_not_read() -> None:
    async def work(portal: Portal, post: Post) -> None:
        right = token("alice", ALICES)
        for bearer in (right, ""):
            answer = await post(ALICES, b" " * (MAX_STATUS_BYTES + 1), bearer)
            assert answer.code == 413

        async def chunks(write: Callable[[bytes], Awaitable[None]]) -> None:
            for _ in range(10):
                await write(b" " * MAX_STATUS_BYTES)

        answer = await post(ALICES, None, right, body_producer=chunks)
        assert answer.code in (400, 599)  # the connection is closed before it has been sent
        most = b'{"sequence": 1}'.rjust(MAX_STATUS_BYTES)
        assert (await post(ALICES, most, right)).code == 204

    assert serve(work).sequences == [1]


def test_one_user_speaks_so_often_and_costs_nobody_else() -> None:
    async def work(portal: Portal, post: Post) -> None:
        async def says(number: int) -> HTTPResponse:
            each = new_session_id("alice")
            return await post(each, AgentStatus(sequence=number), token("alice", each))

        most = int(handling._BURST)
        assert {(await says(number)).code for number in range(1, most + 1)} == {204}
        answer = await says(most + 1)
        assert (answer.code, answer.headers["Retry-After"]) == (429, "1")
        portal.seconds += 1 / handling._RATE
        assert [(await says(number)).code for number in range(most + 1, most + 3)] == [204, 429]
        answer = await post(BOBS, AgentStatus(sequence=1), token("bob", BOBS))
        assert answer.code == 204
        assert len(portal.hearing._users["alice"]._heard) <= handling._MOST_SESSIONS

    serve(work)


def test_only_a_post_is_taken() -> None:
    async def work(portal: Portal, post: Post) -> None:
        for method in ("GET", "HEAD", "DELETE", "OPTIONS"):
            answer = await post(ALICES, None, token("alice", ALICES), method=method)
            assert answer.code == 405, method

    serve(work)


def test_a_users_side_makes_the_token_that_the_service_knows() -> None:
    callbacks = Callbacks(site(portal_base_url="/desktops/"), KEYS)
    for user in ("alice", "a.b-c_d", "x" * 32, "n\u00e9"):
        request = {"operation": "create", "callback": callbacks.given_to(user)}
        asked = protocol.read_request(protocol.as_line(request))
        assert isinstance(asked, protocol.Create)
        session_id = new_session_id(user)
        of = _callback(asked.callback)
        assert of
        made = of(session_id)
        assert made.url == f"https://portal.test/desktops/api/moonlight/callback/{session_id}"
        assert callbacks.user_of(made.token, session_id) == user
        assert made.token not in json.dumps(request)
    assert _callback(None) is None
    nobody = Callbacks(site(portal_callback_url=""), KEYS)
    assert nobody.given_to("alice") is None
    assert nobody.user_of(token("alice", ALICES), ALICES) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "file:///etc/passwd"},
        {"url": "https://portal.test/x?y=/"},
        {"url": "https://portal.test\n/"},
        {"url": "https://" + "a" * 1000 + "/"},
        {"seed": "YQ.short"},
        {"seed": "Y\n." + "0" * 64},
        {"ca": "x" * 70_000},
        {"token": "more"},
    ],
    ids=str,
)
def test_a_users_side_takes_no_odd_callback(wrong: dict[str, str]) -> None:
    right = {"url": "https://portal.test/", "seed": "YQ." + "0" * 64, "ca": None}
    request = {"operation": "create", "callback": right}
    assert protocol.read_request(protocol.as_line(request))
    with pytest.raises(InvalidRequest):
        protocol.read_request(protocol.as_line({**request, "callback": right | wrong}))


@pytest.mark.parametrize(
    "url",
    ["portal.test", "ftp://portal.test", "https://portal.test/path", "https://a b", "https://u@h"],
)
def test_an_address_that_is_none_is_no_setting(url: str) -> None:
    with pytest.raises(TraitError, match="portal_callback_url is"):
        site(portal_callback_url=url)


def test_a_file_of_certificates_is_read_by_the_service(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    for text in (None, "", "nonsense", PEM):
        if text is not None:
            path.write_text(text)
        with pytest.raises(ValueError, match="portal_callback_ca_file"):
            Callbacks(site(portal_callback_ca_file=str(path)), KEYS)
