"""What of a request reaches the host, and what of its answer the browser: paths, headers, bodies."""

from __future__ import annotations

import json
import re
import socket

import pytest

from .gateway_process import TOKEN, RunningGateway, running_gateway
from .wires import (
    OK,
    UPGRADE,
    FakeHost,
    answers,
    ask,
    ask_on,
    connect,
    get,
    headers_of,
    login,
    read_all,
)

# What belongs to the portal and its user, in the spellings in which it may come.
SECRETS = [
    "Cookie: session=PORTAL",
    "cookie: a=PORTAL; b=PORTAL",
    "COOKIE: PORTAL",
    "Authorization: Basic PORTAL",
    "aUtHoRiZaTiOn: Bearer PORTAL",
    "Proxy-Authorization: PORTAL",
    "Referer: https://portal/?token=PORTAL",
    "Origin: https://PORTAL",
    "X-Forwarded-User: PORTAL",
    "x-forwarded-user: PORTAL",
    "X-Forwarded-Email: PORTAL",
    "X-Forwarded-Access-Token: PORTAL",
    "X-Remote-User: PORTAL",
    "Remote-User: PORTAL",
    "X-XSRFToken: PORTAL",
    "Forwarded: for=PORTAL",
]
HOP_BY_HOP = [
    "Keep-Alive: timeout=PORTAL",
    "Proxy-Connection: PORTAL",
    "TE: trailers, PORTAL",
    "Trailer: PORTAL",
    "Connection: X-Mine\r\nX-Mine: PORTAL",
    "Connection: close, x-mine ,X-Other\r\nX-MINE: PORTAL\r\nx-other: PORTAL",
    "Connection: X-Mine\r\nConnection: X-Other\r\nX-Mine: PORTAL\r\nX-Other: PORTAL",
    "Upgrade: PORTAL\r\nConnection: upgrade",
]


@pytest.mark.parametrize(
    "sent, received",
    [
        ("/", "/"),
        ("/a/b?c=d&e", "/a/b?c=d&e"),
        ("/a?b?c", "/a?b?c"),
        ("/a%2Fb/%E3%81%82%20?q=%26", "/a%2Fb/%E3%81%82%20?q=%26"),
        ("/a/../b//c/./", "/a/../b//c/./"),
        ("/node/n1/40000/a/b?c", "/a/b?c"),
        ("/node/n1/40000", "/"),
        ("/node/n1/40000/", "/"),
        ("/rnode/n1.example.org/40000/x", "/x"),
        ("/secure_node/n1/1/x", "/x"),
        ("/secure_rnode/n1/1/x", "/x"),
        ("/node/n1/40000/node/n2/40001/x", "/node/n2/40001/x"),
        ("/node/n1/x/y", "/node/n1/x/y"),
        ("/node/n1/123456/x", "/node/n1/123456/x"),
        ("/nodes/n1/1/x", "/nodes/n1/1/x"),
        ("/x/node/n1/1/y", "/x/node/n1/1/y"),
        ("/signaling", "/api/websockets"),
        ("/signaling?x=1", "/api/websockets?x=1"),
        ("/node/n1/40000/signaling", "/api/websockets"),
        ("/signaling/x", "/signaling/x"),
        ("/login/", "/login/"),
    ],
)
def test_paths(gateway: RunningGateway, host: FakeHost, sent: str, received: str) -> None:
    assert ask(gateway, get(sent)).status == 200
    assert host.lines == [f"GET {received} HTTP/1.1"]


@pytest.mark.parametrize("header", SECRETS + HOP_BY_HOP)
@pytest.mark.parametrize("upgrade", ["", UPGRADE], ids=["http", "websocket"])
def test_what_is_the_portals_never_reaches_the_host(
    gateway: RunningGateway, host: FakeHost, header: str, upgrade: str
) -> None:
    if header.lower().startswith("authorization"):  # the login itself is by cookie then
        cookie = login(gateway, TOKEN).header("set-cookie").split(";")[0]
        more = f"{header}\r\n{header}\r\nCookie: {cookie}\r\n"
        if upgrade:
            more += f"Sec-WebSocket-Protocol: moonlight-page.{gateway.page}\r\n"
        head = get("/", more, upgrade, bearer=False)
    elif header.startswith("Upgrade") and upgrade:
        head = get("/", f"{header}\r\n")
    else:
        head = get("/", f"{header}\r\n{header}\r\n", upgrade)
    ask(gateway, head)
    assert b"PORTAL" not in host.last and TOKEN.encode() not in host.last
    names = [name for name, _ in headers_of(host.last)]
    assert "cookie" not in names and "authorization" not in names


def test_ordinary_headers_arrive_in_order_and_repeated(
    gateway: RunningGateway, host: FakeHost
) -> None:
    more = "Accept: a\r\nX-One: 1\r\nX-Two: a\r\nx-two: b\r\nContent-Type: text/plain\r\n"
    ask(gateway, get("/", more))
    told = headers_of(host.last)
    assert [(n, v) for n, v in told if n.startswith(("x-o", "x-t"))] == [
        ("x-one", "1"), ("x-two", "a"), ("x-two", "b"),
    ]  # fmt: skip
    assert ("accept", "a") in told and ("content-type", "text/plain") in told
    assert [v for n, v in told if n == "host"] == ["localhost"]


@pytest.mark.parametrize(
    "more", ["X-Host-Secret: forged\r\n", "x-HOST-secret: forged\r\nConnection: x-host-secret\r\n"]
)
@pytest.mark.parametrize("upgrade", ["", UPGRADE], ids=["http", "websocket"])
def test_the_gateways_own_secret_cannot_be_replaced(
    gateway: RunningGateway, host: FakeHost, more: str, upgrade: str
) -> None:
    if upgrade:
        more = more.split("\r\n")[0] + "\r\n"
    ask(gateway, get("/", more, upgrade))
    assert [v for n, v in headers_of(host.last) if n == "x-host-secret"] == ["s3cret"]


def test_cookies_of_the_host_never_reach_the_browser(
    gateway: RunningGateway, host: FakeHost
) -> None:
    host.behave = answers(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/\r\nServer: spy\r\n"
        b"X-Mine: 1\r\nContent-Type: text/x\r\nConnection: x-gone\r\nX-Gone: 1\r\n"
        b"Content-Length: 2\r\n\r\nok"
    )
    answer = ask(gateway, get("/"))
    names = {name.lower() for name, _ in answer.headers}
    assert names == {"x-mine", "content-type", "content-length", "content-security-policy"}
    host.behave = answers(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Set-Cookie: a=1\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: p\r\n\r\n"
    )
    answer = ask(gateway, get("/", UPGRADE))
    assert answer.status == 101
    assert {name.lower() for name, _ in answer.headers} == {
        "connection", "upgrade", "sec-websocket-accept", "sec-websocket-protocol",
    }  # fmt: skip


@pytest.mark.parametrize("status", [200, 204, 206, 301, 304, 404, 418, 500, 599])
def test_answers_pass_with_their_status(
    gateway: RunningGateway, host: FakeHost, status: int
) -> None:
    body = b"" if status in (204, 304) else b"body"
    length = b"" if status in (204, 304) else b"Content-Length: 4\r\n"
    host.behave = answers(b"HTTP/1.1 %d Odd Reason\r\n%s\r\n" % (status, length) + body)
    answer = ask(gateway, get("/"))
    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nbody",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nbody",
        b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
    ],
    ids=["chunked", "till the end", "1.0", "early hints"],
)
def test_bodies_of_every_framing_arrive_whole(
    gateway: RunningGateway, host: FakeHost, data: bytes
) -> None:
    host.behave = answers(data)
    answer = ask(gateway, get("/"))
    assert (answer.status, answer.body) == (200, b"body")


def test_a_head_request_has_a_length_and_no_body(gateway: RunningGateway, host: FakeHost) -> None:
    host.behave = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    answer = ask(gateway, get("/").replace("GET", "HEAD"))
    assert (answer.status, answer.header("content-length"), answer.body) == (200, "1000", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_uploads_arrive_with_their_length(
    gateway: RunningGateway, host: FakeHost, method: str
) -> None:
    head = get("/up", "Content-Length: 5\r\n").replace("GET", method)
    assert ask(gateway, head, b"hello").status == 200
    assert host.lines == [f"{method} /up HTTP/1.1"]
    assert ("content-length", "5") in headers_of(host.last)


def test_an_upload_waits_for_the_word_to_go_on(gateway: RunningGateway, host: FakeHost) -> None:
    head = get("/", "Content-Length: 5\r\nExpect: 100-continue\r\n").replace("GET", "POST")
    with connect(gateway) as connection:
        connection.sendall(head.encode() + b"\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_an_answer_before_the_upload_is_whole(gateway: RunningGateway, host: FakeHost) -> None:
    def too_large(connection: socket.socket, head: bytes, rest: bytes) -> None:
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        connection.shutdown(socket.SHUT_WR)
        read_all(connection)

    host.behave = too_large
    head = get("/", "Content-Length: 1000000\r\n").replace("GET", "POST")
    with connect(gateway) as connection:
        answer = ask_on(connection, head, b"x" * 1000)
        assert (answer.status, answer.body) == (413, b"no!")
        assert connection.recv(1) == b"", "the rest of the upload would be taken for a request"


def test_many_requests_share_a_connection(gateway: RunningGateway, host: FakeHost) -> None:
    with connect(gateway) as connection:
        for number in range(20):
            assert ask_on(connection, get(f"/{number}")).body == b"ok"
    assert host.lines == [f"GET /{n} HTTP/1.1" for n in range(20)]


def test_each_request_of_a_connection_is_checked(gateway: RunningGateway, host: FakeHost) -> None:
    """Two at once: the second must not ride in on the first one's token."""
    with connect(gateway) as connection:
        connection.sendall((get("/a") + "\r\n" + get("/b", bearer=False) + "\r\n").encode())
        answer = b""
        while b"login_needed" not in answer:
            part = connection.recv(65536)
            assert part, answer
            answer += part
    assert re.findall(rb"HTTP/1.1 ([0-9]+)", answer) == [b"200", b"401"]
    assert host.lines == ["GET /a HTTP/1.1"]


class TestAHostThatIsAway:
    @pytest.mark.parametrize("accept", ["text/html,*/*", "application/json", ""])
    def test_the_page_says_so_and_tries_again(
        self, gateway: RunningGateway, host: FakeHost, accept: str
    ) -> None:
        host.behave = lambda connection, head, rest: None  # closes without a word
        answer = ask(gateway, get("/", f"Accept: {accept}\r\n"))
        assert (answer.status, answer.header("cache-control")) == (502, "no-store")
        if "html" in accept:
            assert b'http-equiv="refresh"' in answer.body and b"host_away" in answer.body
        else:
            assert json.loads(answer.body)["error"]["code"] == "host_away"
        host.behave = answers(OK)
        assert ask(gateway, get("/")).body == b"ok"

    @pytest.mark.parametrize(
        "data",
        [b"SSH-2.0-OpenSSH\r\n", b"HTTP/9.9 OK\r\n\r\n", b"\x16\x03\x01", b"HTTP/1.1 200 OK\r\n"],
    )
    def test_what_is_no_answer_is_a_host_that_is_away(
        self, gateway: RunningGateway, host: FakeHost, data: bytes
    ) -> None:
        host.behave = answers(data)
        assert ask(gateway, get("/")).status == 502
        assert ask(gateway, get("/", UPGRADE)).status == 502

    def test_half_an_answer_is_no_whole_one(self, gateway: RunningGateway, host: FakeHost) -> None:
        host.behave = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        with connect(gateway) as connection:
            connection.sendall(get("/").encode() + b"\r\n")
            data = b""
            while part := connection.recv(65536):
                data += part
        assert data.startswith(b"HTTP/1.1 200") and data.endswith(b"\r\n\r\nhalf")

    def test_a_host_that_refuses_a_stream(self, gateway: RunningGateway, host: FakeHost) -> None:
        host.behave = answers(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        assert ask(gateway, get("/", UPGRADE)).status == 502

    def test_without_a_host_health_says_starting(self) -> None:
        with running_gateway() as gateway:
            assert json.loads(ask(gateway, get("/healthz")).body) == {"status": "starting"}
            assert ask(gateway, get("/")).status == ask(gateway, get("/", UPGRADE)).status == 502

    def test_a_socket_that_is_gone(self, host: FakeHost) -> None:
        with running_gateway(f"{host.path}.gone") as gateway:
            for _ in range(3):
                assert ask(gateway, get("/")).status == 502
