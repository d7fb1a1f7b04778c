"""Who may pass the gateway: token, cookie, origin, and everything that looks like them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from .gateway_process import TOKEN, RunningGateway, running_gateway
from .wires import BEARER, UPGRADE, FakeHost, ask, ask_on, connect, get, login


@pytest.fixture
def fresh(host: FakeHost) -> Iterator[RunningGateway]:
    """A gateway that has seen no wrong guess yet."""
    with running_gateway(str(host.path)) as gateway:
        yield gateway


def cookie(gateway: RunningGateway) -> str:
    return login(gateway, TOKEN).header("set-cookie").split(";")[0]


def with_cookie(gateway: RunningGateway) -> str:
    return f"Cookie: {cookie(gateway)}\r\n"


@pytest.mark.parametrize("tls", [False, True])
def test_the_right_token_becomes_a_cookie(
    gateway: RunningGateway, host: FakeHost, tls: bool
) -> None:
    answer = login(gateway, TOKEN, tls=tls)
    assert (answer.status, answer.header("location"), answer.body) == (303, "./", b"")
    # No script that the port's holder before had the browser keep runs beside the page's token.
    assert answer.header("clear-site-data") == '"cache"'
    assert answer.header("cache-control") == "no-store"
    value, *attributes = answer.header("set-cookie").split("; ")
    assert {"HttpOnly", "SameSite=Strict"} <= set(attributes)
    assert ("Secure" in attributes) == tls
    assert TOKEN not in value and len(value.partition("=")[2]) >= 43
    assert ask(gateway, get("/", f"Cookie: {value}\r\n", bearer=False), tls=tls).body == b"ok"
    assert len(host.heads) == 1, "the login itself is not the host's business"


@pytest.mark.parametrize(
    "path",
    [
        "/login",  # also what comes of /rnode/n1/40000/login, where the proxy takes that away
        "/node/n1.example.org/40000/login",
        "/secure_node/n1/40000/login",
        "/node/mallory/1/login",  # what comes of /rnode/n1/40000/node/mallory/1/login
    ],
)
def test_the_cookie_goes_back_to_the_address_of_the_login_and_no_other(
    gateway: RunningGateway, path: str
) -> None:
    """A browser sees to that where no path is named; the gateway does not know the address."""
    attributes = login(gateway, TOKEN, path).header("set-cookie").lower().split("; ")
    assert not [a for a in attributes if a.startswith(("path", "domain"))]


def test_behind_a_portal_with_https_the_cookie_is_secure(gateway: RunningGateway) -> None:
    body = f"token={TOKEN}".encode()
    head = (
        "POST /login HTTP/1.1\r\nHost: portal\r\nX-Forwarded-Proto: https\r\n"
        f"Content-Length: {len(body)}\r\n"
    )
    assert "; Secure" in ask(gateway, head, body).header("set-cookie")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n", 403),
        ("Origin: null\r\nSec-Fetch-Site: cross-site\r\n", 403),
        ("Origin: https://evil.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin: https://portal\r\nSec-Fetch-Site: same-origin\r\n", 303),
        ("Origin: null\r\nSec-Fetch-Site: same-origin\r\n", 303),  # a page without referrers
        ("Origin: https://dashboard\r\nSec-Fetch-Site: same-site\r\n", 303),
        ("Origin: https://portal\r\n", 303),
    ],
)
def test_no_page_of_another_site_logs_anybody_in(
    gateway: RunningGateway, headers: str, status: int
) -> None:
    """Its owner's token is right; what is typed then would be typed into that one's desktop."""
    body = f"token={TOKEN}".encode()
    head = (
        "POST /login HTTP/1.1\r\nHost: portal\r\nX-Forwarded-Proto: https\r\n"
        f"Content-Length: {len(body)}\r\n{headers}"
    )
    answer = ask(gateway, head, body)
    assert answer.status == status and bool(answer.header("set-cookie")) == (status == 303)


def test_wrong_guesses_are_slowed_down_and_the_right_token_still_passes(
    fresh: RunningGateway,
) -> None:
    assert [login(fresh, f"wrong{n}").status for n in range(12)] == [403] * 10 + [429] * 2
    assert login(fresh, TOKEN).status == 303
    assert login(fresh, "wrong").status == 403
    assert ask(fresh, get("/")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"token=",
        b"token",
        b"=" + TOKEN.encode(),
        b"Token=" + TOKEN.encode(),
        b"token=" + TOKEN[:-1].encode(),
        b"token=" + TOKEN.encode() + b"x",
        b"token=" + TOKEN.encode() + b"%00",
        b"token=wrong&token=" + TOKEN.encode(),
        b"a=1&b=2&c=3&d=4&token=" + TOKEN.encode(),
        b'{"token": "' + TOKEN.encode() + b'"}',
        b"token=%ff%fe",
        b"token=\xff",
        "token=日本".encode(),
        b"\x00" * 100,
    ],
    ids=lambda b: ascii(b)[:40],
)
def test_what_is_no_login_is_refused(fresh: RunningGateway, body: bytes) -> None:
    head = f"POST /login HTTP/1.1\r\nHost: portal\r\nContent-Length: {len(body)}\r\n"
    answer = ask(fresh, head, body)
    assert (answer.status, answer.header("set-cookie")) == (403, "")


def test_a_login_that_is_too_long_is_refused_unread(fresh: RunningGateway) -> None:
    for head in ("Content-Length: 5000000\r\n", "Transfer-Encoding: chunked\r\n"):
        with connect(fresh) as connection:
            body = b"1400\r\n" + b"x" * 0x1400 + b"\r\n"  # the rest never comes
            answer = ask_on(connection, f"POST /login HTTP/1.1\r\nHost: p\r\n{head}", body)
            assert answer.status == 413
            assert connection.recv(1) == b""


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_a_post_logs_in(gateway: RunningGateway, host: FakeHost, method: str) -> None:
    answer = ask(gateway, f"{method} /login?token={TOKEN} HTTP/1.1\r\nHost: portal\r\n{BEARER}")
    assert answer.status == (401 if method == "GET" else 405)
    assert answer.header("set-cookie") == "" and host.heads == []


@pytest.mark.parametrize(
    "head",
    [
        get(f"/?token={TOKEN}", bearer=False),
        get(f"/?access_token={TOKEN}", bearer=False),
        f"POST /login?token={TOKEN} HTTP/1.1\r\nHost: p\r\nContent-Length: 0\r\n",
        get("/", f"Cookie: token={TOKEN}\r\n", bearer=False),
        get("/", f"Cookie: moonlight_abcdefghij={TOKEN}\r\n", bearer=False),
        get("/", f"X-Token: {TOKEN}\r\n", bearer=False),
        get("/", f"Authorization: {TOKEN}\r\n", bearer=False),
        get("/", f"Authorization: Basic {TOKEN}\r\n", bearer=False),
        get("/", f"Authorization: token {TOKEN}\r\n", bearer=False),
        get("/", f"Authorization: Bearer {TOKEN[:-1]}\r\n", bearer=False),
        get("/", f"Authorization: Bearer {TOKEN}, Bearer x\r\n", bearer=False),
        get("/", "Authorization: Bearer\r\n", bearer=False),
        get("/", "Authorization: Bearer \xff\xfe\r\n", bearer=False),
        get("/", f"Referer: http://portal/?token={TOKEN}\r\n", bearer=False),
        f"GET / HTTP/1.1\r\nHost: u:{TOKEN}@portal\r\n",
    ],
)
def test_the_token_is_taken_nowhere_else(
    gateway: RunningGateway, host: FakeHost, head: str
) -> None:
    assert ask(gateway, head).status in (400, 401, 403)
    assert host.heads == []


@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"BEARER   {TOKEN}"])
def test_the_bearer_passes(gateway: RunningGateway, value: str) -> None:
    assert ask(gateway, get("/", f"Authorization: {value}\r\n", bearer=False)).status == 200


def test_the_cookie_of_another_gateway_does_not_pass(
    gateway: RunningGateway, fresh: RunningGateway, host: FakeHost
) -> None:
    stranger = cookie(fresh)
    assert stranger.partition("=")[0] == cookie(gateway).partition("=")[0]
    assert ask(gateway, get("/", f"Cookie: {stranger}\r\n", bearer=False)).status == 401
    assert host.heads == []


@pytest.mark.parametrize(
    "others",
    [
        '_xsrf=2|1a2b|c; prefs={"a": 1, "b": "x, y"}; ',
        "a=b=c; path; =x; ;; ",
        'q="un;closed; ',
        "name[0]=1; a,b=2; ü=\xfc; ",
        "moonlight_abcdefghij=an-older-one; ",
        "; ".join(f"c{n}={'x' * 50}" for n in range(200)) + "; ",
    ],
    ids=lambda o: ascii(o)[:20],
)
def test_whatever_other_cookies_the_portal_has_set(gateway: RunningGateway, others: str) -> None:
    mine = cookie(gateway)
    assert ask(gateway, get("/", f"Cookie: {others}{mine}\r\n", bearer=False)).status == 200
    assert ask(gateway, get("/", f"Cookie: {mine}; {others}\r\n", bearer=False)).status == 200
    split = f"Cookie: {others.rstrip('; ')}\r\nCookie: {mine}\r\n"
    assert ask(gateway, get("/", split, bearer=False)).status == 200


ELSEWHERE = [
    "https://evil.example",
    "http://portal.evil.example",
    "http://evil.example/portal",
    "http://portal:81",
    "http://portal@evil.example",
    "null",
    "portal",
    "http://",
    "file://",
    "http://[",
]


@pytest.mark.parametrize("origin", ELSEWHERE)
@pytest.mark.parametrize("upgrade", ["", UPGRADE], ids=["http", "websocket"])
def test_a_page_of_another_site_gets_nothing_with_the_cookie(
    gateway: RunningGateway, host: FakeHost, origin: str, upgrade: str
) -> None:
    more = with_cookie(gateway) + f"Origin: {origin}\r\n" + upgrade
    answer = ask(gateway, get("/x", more, bearer=False))
    assert (answer.status, host.heads) == (403, [])


def test_an_opaque_origin_is_foreign_to_a_request_without_a_host(
    gateway: RunningGateway, host: FakeHost
) -> None:
    head = f"GET / HTTP/1.0\r\nOrigin: null\r\n{with_cookie(gateway)}"
    assert (ask(gateway, head).status, host.heads) == (403, [])


@pytest.mark.parametrize(
    "more",
    [
        "",
        "Origin: http://portal\r\n",
        "Origin: https://portal\r\n",
        "Origin: https://front.example\r\nX-Forwarded-Host: front.example\r\n",
        "Origin: https://front.example\r\nX-Forwarded-Host: inner, front.example\r\n",
    ],
)
def test_a_page_of_the_portal_may_use_the_cookie(
    gateway: RunningGateway, host: FakeHost, more: str
) -> None:
    assert ask(gateway, get("/x", with_cookie(gateway), more, bearer=False)).status == 200
    assert len(host.heads) == 1


@pytest.mark.parametrize(
    ("more", "tls", "status"),
    [
        ("", True, 403),
        ("X-Forwarded-Proto: https\r\n", False, 403),
        ("X-Forwarded-Proto: http\r\n", False, 200),
        ("", False, 200),  # TLS may end before us, or there is none: nobody says
    ],
)
def test_a_page_without_https_is_foreign_where_browsers_come_by_https(
    gateway: RunningGateway, more: str, tls: bool, status: int
) -> None:
    head = get("/x", with_cookie(gateway), "Origin: http://portal\r\n", more, bearer=False)
    assert ask(gateway, head, tls=tls).status == status


def test_a_stranger_learns_nothing(gateway: RunningGateway, host: FakeHost) -> None:
    for path in ("/", "/healthz", "/api/websockets", "/signaling", "/no/such", "/" + quote("é")):
        answer = ask(gateway, get(path, bearer=False))
        assert answer.status == 401
        assert json.loads(answer.body)["error"]["code"] == "login_needed"
        assert answer.header("server") == "" and answer.header("cache-control") == "no-store"
    assert ask(gateway, get("/", UPGRADE, bearer=False)).status == 401
    assert host.heads == []


def test_health_is_told_to_the_owner(gateway: RunningGateway, host: FakeHost) -> None:
    answer = ask(gateway, get("/healthz"))
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
    assert host.heads == []


def test_plain_http_is_refused_where_the_site_did_not_ask_for_it(host: FakeHost) -> None:
    with running_gateway(str(host.path), plain=False) as gateway:
        for head in (get("/"), get("/healthz"), get("/", UPGRADE)):
            assert ask(gateway, head).status == 403
        assert login(gateway, TOKEN).status == 403
        assert host.heads == []
        assert ask(gateway, get("/"), tls=True).status == 200
        assert login(gateway, TOKEN, tls=True).status == 303
