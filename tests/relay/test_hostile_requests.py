"""What is no proper request is refused, and whatever is sent the gateway lives on."""

from __future__ import annotations

import random

import pytest

from tests.support.waiting import STILL

from .gateway_process import TOKEN, RunningGateway, running_gateway
from .wires import BEARER, OK, FakeHost, answers, ask, connect, get, read_all

AUTH = BEARER.encode()


def talk(gateway: RunningGateway, data: bytes, tls: bool = False) -> bytes:
    """Send bytes and read what comes until the gateway closes."""
    with connect(gateway, tls) as connection:
        try:
            connection.sendall(data)
        except ConnectionError:
            return b""
        return read_all(connection)


REFUSED = {
    "absolute form": b"GET http://evil.example/ HTTP/1.1\r\nHost: portal\r\n" + AUTH,
    "absolute form, own host": b"GET http://portal/ HTTP/1.1\r\nHost: portal\r\n" + AUTH,
    "connect": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n" + AUTH,
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: portal\r\n" + AUTH,
    "relative": b"GET x HTTP/1.1\r\nHost: portal\r\n" + AUTH,
    "two lengths": b"POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 1\r\nContent-Length: 2\r\n" + AUTH,
    "list of lengths": b"POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 1, 2\r\n" + AUTH,
    "negative length": b"POST / HTTP/1.1\r\nHost: p\r\nContent-Length: -1\r\n" + AUTH,
    "hex length": b"POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 0x10\r\n" + AUTH,
    "plus length": b"POST / HTTP/1.1\r\nHost: p\r\nContent-Length: +1\r\n" + AUTH,
    "length and chunked": b"POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 6\r\n"
    b"Transfer-Encoding: chunked\r\n" + AUTH,
    "chunked and length": b"POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 6\r\n" + AUTH,
    "chunked twice": b"POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: chunked\r\n" + AUTH,
    "identity, chunked": b"POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: identity, chunked\r\n"
    + AUTH,
    "gzip": b"POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: gzip\r\n" + AUTH,
    "xchunked": b"POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: xchunked\r\n" + AUTH,
    "space before the colon": b"GET / HTTP/1.1\r\nHost: p\r\nX-A : b\r\n" + AUTH,
    "no colon": b"GET / HTTP/1.1\r\nHost: p\r\nnonsense\r\n" + AUTH,
    "no name": b"GET / HTTP/1.1\r\nHost: p\r\n: b\r\n" + AUTH,
    "null in a value": b"GET / HTTP/1.1\r\nHost: p\r\nX-A: b\x00c\r\n" + AUTH,
    "bare return in a value": b"GET / HTTP/1.1\r\nHost: p\r\nX-A: b\rX-B: c\r\n" + AUTH,
    "no host": b"GET / HTTP/1.1\r\n" + AUTH,
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + AUTH,
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: p\r\n" + AUTH,
    "odd version": b"GET / HTTP/3.0\r\nHost: p\r\n" + AUTH,
    "version 0.9": b"GET /\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
}  # fmt: skip


@pytest.mark.parametrize("head", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_ambiguous_is_refused(gateway: RunningGateway, host: FakeHost, head: bytes) -> None:
    # Behind it what a smuggler would like to be read as a request of its own.
    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: p\r\n" + AUTH + b"\r\n"
    answer = talk(gateway, head + b"\r\n" + smuggled)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert host.heads == []


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5\x00\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello world\r\n0\r\n\r\n",
        b"fffffffffffffffffffffffff\r\nhello",
        b"\r\n\r\n",
    ],
)
def test_a_broken_chunk_ends_the_connection(
    gateway: RunningGateway, host: FakeHost, body: bytes
) -> None:
    received = bytearray()

    def behave(connection, head, rest) -> None:  # type: ignore[no-untyped-def]
        received.extend(rest + read_all(connection))

    host.behave = behave
    head = b"POST / HTTP/1.1\r\nHost: p\r\nTransfer-Encoding: chunked\r\n" + AUTH + b"\r\n"
    answer = talk(gateway, head + body + b"GET /smuggled HTTP/1.1\r\nHost: p\r\n" + AUTH + b"\r\n")
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in answer
    assert b"0\r\n\r\n" not in received, "the host was told that the body is whole"
    assert not any(b"smuggled" in head for head in host.heads)


def test_bare_newlines_cannot_make_two_requests_of_one(
    gateway: RunningGateway, host: FakeHost
) -> None:
    """RFC 9112 2.2 lets a server take them; what goes on is written anew, with one meaning."""
    head = b"GET /a HTTP/1.1\r\nHost: p\r\n" + AUTH + b"X-A: 1\r\nX-B: 2\r\nConnection: close\r\n"
    answer = talk(gateway, (head + b"\r\n").replace(b"\r", b""))
    assert answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
    assert bool(host.heads) == (b" 200 " in answer)
    for head in host.heads:
        lines = head.split(b"\r\n")
        assert not any(b"\n" in line or b"\r" in line for line in lines)
        assert lines[0] == b"GET /a HTTP/1.1" and b"x-b: 2" in [line.lower() for line in lines]
    assert len(host.heads) <= 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: p\r\nX-A: " + b"a" * 2**20 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: p\r\n" + b"X-A: b\r\n" * 2**17 + b"\r\n",
        b"GET /" + b"a" * 2**20 + b" HTTP/1.1\r\nHost: p\r\n\r\n",
        b"A" * 2**20,
    ],
    ids=["value", "number", "target", "method"],
)
@pytest.mark.parametrize("bearer", [b"", AUTH])
def test_a_head_of_a_megabyte_is_refused(
    gateway: RunningGateway, host: FakeHost, data: bytes, bearer: bytes
) -> None:
    gateway.forget_peak()
    before = gateway.memory()
    for _ in range(20):
        answer = talk(gateway, data.replace(b"Host: p\r\n", b"Host: p\r\n" + bearer))
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert host.heads == []
    assert gateway.memory() - before < 16 * 2**20


def test_a_host_with_a_head_of_a_megabyte_is_refused(
    gateway: RunningGateway, host: FakeHost
) -> None:
    host.behave = answers(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 2**20 + b"\r\n\r\n")
    assert ask(gateway, get("/")).status == 502


def test_a_host_cannot_split_its_answer(gateway: RunningGateway, host: FakeHost) -> None:
    host.behave = answers(
        b"HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: x\r\nContent-Length: 2\r\n\r\nok"
    )
    assert ask(gateway, get("/")).status == 502
    host.behave = answers(OK + OK + b"HTTP/1.1 200 OK\r\nSet-Cookie: evil\r\n\r\n")
    with connect(gateway) as connection:
        connection.sendall((get("/a") + "\r\n" + get("/b") + "\r\n").encode())
        said = b""
        while said.count(b"\r\n\r\nok") < 2:
            part = connection.recv(65536)
            assert part, said
            said += part
        connection.settimeout(STILL)
        said += read_until_quiet(connection)
    assert said.count(b"HTTP/1.1 200") == 2 and b"evil" not in said
    assert host.lines[-2:] == ["GET /a HTTP/1.1", "GET /b HTTP/1.1"]


def read_until_quiet(connection) -> bytes:  # type: ignore[no-untyped-def]
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except TimeoutError:
        pass
    return data


@pytest.mark.parametrize("tls", [False, True])
def test_noise_does_not_end_the_gateway(host: FakeHost, tls: bool) -> None:
    chance = random.Random(5 + tls)
    good = (get("/x") + "Content-Length: 3\r\n\r\nabc").encode()
    with running_gateway(str(host.path), plain=True) as gateway:
        for number in range(150):
            if number % 3:
                data = bytearray(good)
                for _ in range(chance.randrange(1, 6)):
                    data[chance.randrange(len(data))] = chance.randrange(256)
            else:
                data = bytearray(chance.randbytes(chance.randrange(1, 3000)))
            with connect(gateway, tls) as connection:
                connection.sendall(data)
                connection.settimeout(0.02)
                read_until_quiet(connection)
        assert ask(gateway, get("/")).status == 200
        assert ask(gateway, get("/"), tls=True).status == 200
    assert not any(TOKEN.encode() in head for head in host.heads)


def test_noise_instead_of_tls_does_not_end_the_gateway(
    gateway: RunningGateway, host: FakeHost
) -> None:
    chance = random.Random(9)
    for _ in range(50):
        talk_tls = b"\x16\x03\x01" + chance.randbytes(chance.randrange(200))
        with connect(gateway) as connection:
            connection.sendall(talk_tls)
            connection.settimeout(0.02)
            read_until_quiet(connection)
    assert ask(gateway, get("/"), tls=True).status == 200
