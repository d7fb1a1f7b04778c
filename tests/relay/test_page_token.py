"""What the cookie alone opens, and what the page's own token opens with it, to the byte."""

from __future__ import annotations

import pytest

from .gateway_process import TOKEN, RunningGateway
from .wires import (
    OK,
    SWITCHED,
    UPGRADE,
    Answer,
    FakeHost,
    answers,
    ask,
    connect,
    get,
    headers_of,
    login,
    read_head,
)

DOCUMENT = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nAccept: text/html\r\n"
FRAME = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\nAccept: text/html\r\n"
FETCH = "Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nSec-Fetch-Site: same-origin\r\n"
PAGE = b"<!doctype html><html><HEAD lang=en><script src=a.js></script></head><p>hello</html>"


@pytest.fixture
def cookie(gateway: RunningGateway) -> str:
    return "Cookie: " + login(gateway, TOKEN).header("set-cookie").split(";")[0] + "\r\n"


def html(page: bytes, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n" + more
    return head + b"Content-Length: %d\r\n\r\n" % len(page) + page


def by_cookie(gateway: RunningGateway, path: str, cookie: str, *more: str) -> Answer:
    return ask(gateway, get(path, cookie, *more, bearer=False))


@pytest.mark.parametrize(
    ("path", "up"), [("/", ""), ("/x.html?a=b", ""), ("/a/b/c.html", "../../")]
)
def test_who_goes_to_the_page_gets_it_with_its_token_once(
    gateway: RunningGateway, host: FakeHost, cookie: str, path: str, up: str
) -> None:
    host.behave = answers(html(PAGE, b'ETag: "1"\r\nCache-Control: max-age=9\r\n'))
    more = 'If-None-Match: "1"\r\nAccept-Encoding: gzip\r\nRange: bytes=0-1\r\n'
    answer = by_cookie(gateway, path, cookie, DOCUMENT, more)
    ours = (
        f'<meta name="moonlight-page" content="{gateway.page}"><script src="{up}gate.js"></script>'
    )
    assert answer.status == 200
    assert answer.body == PAGE.replace(b"<script src=a", ours.encode() + b"<script src=a")
    assert answer.header("cache-control") == "no-store" and answer.header("etag") == ""
    asked = dict(headers_of(host.last))
    assert not {"if-none-match", "accept-encoding", "range", "sec-fetch-x"} & set(asked)


@pytest.mark.parametrize(
    "more", ["", FETCH, "Sec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n"]
)
def test_who_fetches_it_gets_it_as_it_is(
    gateway: RunningGateway, host: FakeHost, cookie: str, more: str
) -> None:
    host.behave = answers(html(PAGE))
    assert by_cookie(gateway, "/", cookie, more).body == PAGE


@pytest.mark.parametrize("more", [FRAME, "Accept: text/html\r\n", FETCH + "Accept: text/html\r\n"])
def test_no_frame_no_program_and_no_old_browser_gets_the_page(
    gateway: RunningGateway, host: FakeHost, cookie: str, more: str
) -> None:
    answer = by_cookie(gateway, "/", cookie, more)
    assert (answer.status, host.heads) == (403, [])
    assert gateway.page.encode() not in answer.body


CLOSED = ["/api/screenshot", "/api/files/", "/%61pi/files/", "//api/x", "/x/../api/x", "/API/x"]
CLOSED += ["/signaling", "/node/n1/80/api/x"]


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("more", ["", FETCH, DOCUMENT], ids=["bare", "fetch", "document"])
def test_the_api_wants_the_pages_token(
    gateway: RunningGateway, host: FakeHost, cookie: str, path: str, more: str
) -> None:
    assert by_cookie(gateway, path, cookie, more).status == 403
    assert by_cookie(gateway, path, cookie, more, "X-Moonlight-Page: x\r\n").status == 403
    assert host.heads == []
    answer = by_cookie(gateway, path, cookie, FETCH, f"X-Moonlight-Page: {gateway.page}\r\n")
    assert answer.status == 200
    assert gateway.page.encode() not in host.last
    assert by_cookie(gateway, path, "", f"X-Moonlight-Page: {gateway.page}\r\n").status == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_what_changes_something_wants_the_pages_token(
    gateway: RunningGateway, host: FakeHost, cookie: str, method: str
) -> None:
    head = f"{method} /x HTTP/1.1\r\nHost: portal\r\nContent-Length: 0\r\n{cookie}"
    assert ask(gateway, head + DOCUMENT).status == 403
    assert host.heads == []
    assert ask(gateway, head + f"X-Moonlight-Page: {gateway.page}\r\n").status == 200


def test_no_api_is_an_answer_in_a_frame(
    gateway: RunningGateway, host: FakeHost, cookie: str
) -> None:
    same = "Sec-Fetch-Site: same-origin\r\n"
    for path in ("/api/files/", "/files/places", "/files/list?in=~"):
        assert by_cookie(gateway, path, cookie, FRAME, same).status == 403
    assert host.heads == []


def switched(protocol: str) -> bytes:
    more = f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n" if protocol else "\r\n"
    return SWITCHED.removesuffix(b"\r\n") + more.encode()


@pytest.mark.parametrize(
    ("offered", "at_the_host", "taken", "answered"),
    [
        ("moonlight-page, moonlight-page.{}", None, "", "moonlight-page"),
        ("chat, moonlight-page, moonlight-page.{}", "chat", "chat", "chat"),
        ("chat, v2, moonlight-page, moonlight-page.{}", "chat, v2", "", "moonlight-page"),
        ("moonlight-page.{}", None, "", None),
    ],
)
def test_a_stream_shows_the_token_as_a_subprotocol_that_the_host_never_sees(
    gateway: RunningGateway,
    host: FakeHost,
    cookie: str,
    offered: str,
    at_the_host: str | None,
    taken: str,
    answered: str | None,
) -> None:
    host.behave = lambda connection, head, rest: connection.sendall(switched(taken))
    more = f"Sec-WebSocket-Protocol: {offered.format(gateway.page)}\r\n"
    with connect(gateway) as connection:
        connection.sendall((get("/api/ws", cookie, more, UPGRADE, bearer=False) + "\r\n").encode())
        head, _ = read_head(connection)
    assert head.startswith(b"HTTP/1.1 101 ")
    assert dict(headers_of(head)).get("sec-websocket-protocol") == answered
    assert dict(headers_of(host.last)).get("sec-websocket-protocol") == at_the_host
    assert gateway.page.encode() not in head + host.last


@pytest.mark.parametrize(
    "offered", ["", "moonlight-page", "moonlight-page.", "moonlight-page.x", "{}"]
)
def test_a_stream_without_it_is_refused(
    gateway: RunningGateway, host: FakeHost, cookie: str, offered: str
) -> None:
    more = f"Sec-WebSocket-Protocol: {offered.format(gateway.page)}\r\n" if offered else ""
    more += f"X-Moonlight-Page: {gateway.page}\r\n"  # no browser can send it with a WebSocket
    answer = by_cookie(gateway, "/api/ws", cookie, more, UPGRADE)
    assert (answer.status, host.heads) == (403, [])


def test_the_portal_with_its_bearer_needs_none_of_this(
    gateway: RunningGateway, host: FakeHost
) -> None:
    host.behave = answers(html(PAGE))
    for more in (DOCUMENT, FRAME, FETCH, ""):
        assert ask(gateway, get("/", more)).body == PAGE
    host.behave = answers(OK)
    assert ask(gateway, get("/api/screenshot")).status == 200


def test_the_script_is_the_owners_to_get(gateway: RunningGateway, cookie: str) -> None:
    answer = by_cookie(gateway, "/gate.js", cookie)
    assert answer.status == 200 and answer.header("content-type") == "text/javascript"
    assert gateway.page.encode() not in answer.body
    assert by_cookie(gateway, "/gate.js", "").status == 401
