"""How much one user may ask of the service, how often, and from which address it says that he came."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.waiting import PATIENCE, wait_for

from .place import Place

SESSIONS, EVENTS = "/api/moonlight/sessions", "/api/moonlight/events"
LOGIN = "/api/moonlight/login"
NONE = f"{SESSIONS}/none"  # is answered without asking anybody
WEBSOCKET = {
    **{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.fixture(scope="module")
def strict(place: Place) -> Iterator[Place]:
    """A service that takes five calls at once, two launches, three failed logins, and of each user three
    requests that are open."""
    with place.beside(
        portal_requests_per_minute=30,
        portal_launches_per_minute=2,
        portal_failures_per_minute=3,
        portal_requests_open=3,
    ) as strict:
        yield strict


def told_to_wait(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]) == (429, {"code": "too_many_requests"})
    seconds = int(answer.headers["retry-after"])
    assert 1 <= seconds <= 60 and f"Try again in {seconds} s." in answer.json()["message"]


def _asked_too_often(client: httpx.Client, ask: Callable[[], httpx.Response]) -> httpx.Response:
    """What ``ask`` is answered by whom has asked too often: until then, and again where he may ask once
    more by then, as on a slow machine."""

    def refused(answer: httpx.Response) -> bool:
        with contextlib.closing(answer):
            return answer.status_code == 429 and "more often" in answer.read().decode()

    def answered() -> httpx.Response | None:
        with ThreadPoolExecutor(3) as pool:  # he has no more requests open at once
            while not any(pool.map(lambda _: refused(client.get(NONE)), range(3))):
                pass
        answer = ask()
        return answer if refused(answer) else None

    return wait_for(answered)


def test_a_user_who_asks_too_often_waits_and_nobody_else_does(strict: Place) -> None:
    with strict.client(strict.token(strict.alice)) as client:
        assert [client.get(NONE).status_code for _ in range(5)] == [404] * 5
        # Streams are requests as well; the page itself, and what it is made of, is not counted.
        signaling = f"/moonlight/signaling?session=ml-{strict.alice}-aaaaaaaaaa"
        for path, headers in ((NONE, {}), (EVENTS, {}), (signaling, WEBSOCKET)):
            request = client.build_request("GET", path, headers=headers)
            told_to_wait(_asked_too_often(client, lambda: client.send(request, stream=True)))  # noqa: B023
        assert client.get("/moonlight/").status_code == 200
        with strict.client(strict.token(strict.bob)) as other:
            assert other.get(NONE).status_code == 404
        wait_for(lambda: client.get(NONE).status_code == 404)
    assert "Traceback" not in strict.log.read_text(), "a refusal is no fault of the service"


def test_launches_are_counted_of_their_own(strict: Place) -> None:
    with strict.client(strict.token(strict.bob)) as client:
        launches = [client.post(SESSIONS, json={"image": "none"}) for _ in range(3)]
        assert [answer.status_code for answer in launches] == [404, 404, 429]
        told_to_wait(launches[-1])
        wrong = client.post(SESSIONS, content=b"no JSON")
        assert wrong.status_code == 400, "what is no launch is not counted"


def test_who_fails_to_log_in_is_put_off_and_who_does_not_is_let_in(strict: Place) -> None:
    with strict.client() as client:

        def login(token: str) -> httpx.Response:
            return client.post(LOGIN, headers={"Authorization": f"Bearer {token}"})

        bad = [login(f"bad{n}") for n in range(5)]
        assert [answer.status_code for answer in bad[:4]] == [401, 401, 401, 429]
        told_to_wait(bad[-1])
        told_to_wait(client.get(SESSIONS, headers={"Cookie": "moonlight-login=x"}))
        # From the same address.
        assert login(strict.token(strict.side.other)).status_code == 200
        assert strict.client  # and who brings nothing is told to log in
    with strict.client() as client:
        assert client.get(SESSIONS).status_code == 403


def _listening(client: httpx.Client) -> httpx.Response:
    """An event stream that stays open; asked for until this user has not asked too often."""

    def asked() -> httpx.Response | None:
        answer = client.send(client.build_request("GET", EVENTS), stream=True)
        if answer.status_code == 200:
            return answer
        answer.read()
        assert "more often" in answer.text
        return None

    return wait_for(asked)


def test_a_user_has_so_many_requests_open_and_takes_none_of_others(strict: Place) -> None:
    """Each has descriptors of the service's, for as long as he likes."""
    with strict.client(strict.token(strict.alice)) as client:
        streams = [_listening(client) for _ in range(3)]
        refused = client.get("/moonlight/sessions/ml-x-aaaaaaaaaa/desktop/")
        error = refused.json()
        assert (refused.status_code, error["error"]["code"]) == (429, "too_many_requests")
        assert "3 requests open at once" in error["message"]
        with strict.client(strict.token(strict.bob)) as other:
            _listening(other).close()
        for stream in streams:
            stream.close()
        # What was closed is open no more.
        wait_for(lambda: client.get(NONE).status_code == 404)


def _answer(connection: socket.socket) -> bytes:
    connection.setblocking(False)
    try:
        return connection.recv(4096)
    except BlockingIOError:
        return b""
    except ConnectionError:  # what is closed with a body unread may lose its answer
        return b"closed"


def test_what_is_long_counts_for_more(place: Place) -> None:
    """Else some hundred bodies that never end would be the service's memory, and long answers its time."""
    settings = {"portal_requests_open": 40, "portal_requests_per_minute": 30}
    with place.beside(**settings) as service, contextlib.ExitStack() as open_ones:
        head = f"POST {SESSIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {place.token(place.bob)}\r\n"

        def asked(length: int) -> socket.socket:
            one = socket.create_connection(("127.0.0.1", service.port), PATIENCE)
            one.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + b" " * (length - 1))
            return open_ones.enter_context(one)

        long_ones = [asked(1 << 17) for _ in range(3)]
        (refused,) = wait_for(lambda: [one for one in long_ones if _answer(one)])
        wait_for(lambda: "429 POST" in service.log.read_text())
        long_ones.remove(refused)  # two are sixteen each
        short = asked(100)
        short.sendall(b" ")
        assert wait_for(lambda: _answer(short)).startswith(b"HTTP/1.1 400 "), "it was looked at"
        assert not any(map(_answer, long_ones)), "those that are under way go on"


def test_a_long_answer_counts_for_more(place: Place) -> None:
    """He waits longer than the minute of which each has one."""
    with place.beside(portal_requests_per_minute=1) as service:
        with service.client(place.token(place.alice)) as client:
            asked = time.monotonic()
            assert len(client.get("/api/moonlight/openapi.json").content) > 40_000
            refused = client.get(NONE)
            taken = time.monotonic() - asked
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) + taken > 60


def came_from(place: Place, **headers: str) -> str:
    before = len(place.log.read_text())
    with place.client() as client:
        headers |= {"Authorization": f"Bearer {place.admin_token()}"}
        assert client.post(LOGIN, headers=headers).status_code == 200
    return str(place.audited(before, action="login")[0]["address"])


MADE_UP: dict[str, Any] = {"X-Forwarded-For": "192.0.2.7", "X-Real-IP": "192.0.2.8"}


def test_an_address_is_what_the_proxy_saw(place: Place) -> None:
    assert came_from(place, **MADE_UP) == "127.0.0.1"


def test_a_proxys_word_counts_and_nobody_elses(place: Place, strict: Place) -> None:
    assert came_from(strict, **MADE_UP) == "192.0.2.7"
    with place.beside(portal_proxies=["192.0.2.1"]) as open_to_all:
        assert came_from(open_to_all, **MADE_UP) == "127.0.0.1"


@pytest.mark.parametrize("through", ["nginx", "nothing"])
def test_a_body_that_is_too_long_is_refused_in_words(place: Place, through: str) -> None:
    part = b" " * (1 << 20)
    origin = place.origin if through == "nginx" else f"http://127.0.0.1:{place.port}"
    with place.client(place.token(place.alice)) as client:
        for content in (part * 5, iter([part] * 5)):  # the second does not say its length
            answer = client.post(origin + SESSIONS, content=content)
            assert answer.status_code == 413, answer.text
            assert answer.json() == {
                "message": "The request is too large.",
                "error": {"code": "too_large"},
            }
        assert client.get(NONE).status_code == 404
