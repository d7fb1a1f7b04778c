"""A flood of connections from the very address that the owner comes from: does he still get in?

What is counted is who gets in, not how fast.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from moonlight_spawner.agent.gateway.strangers import Strangers
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.relay.buckets import source
from moonlight_spawner.relay.knock import knock
from moonlight_spawner.relay.upstream import Target, UpstreamError, call

from tests.support.waiting import PATIENCE, wait_for

from .gateway_process import TOKEN, RunningGateway, running_gateway
from .wires import BEARER, FakeHost, ask_on, connect, get, login

# Connects as fast as the machine can, keeps the last 300 open, says what is asked at once.
FLOOD = r"""
import collections, socket, ssl, sys
port, kind = int(sys.argv[1]), sys.argv[2]
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
context = ssl._create_unverified_context()
greeting = context.wrap_bio(incoming, outgoing, server_hostname="0" * 32 + ".session")
try:
    greeting.do_handshake()
except ssl.SSLWantReadError:
    pass
hello = outgoing.read()
words = {"silent": b"", "letter": b"G", "http": b"GET / HTTP/1.1\r\nHost: p\r\n\r\n",
         "half": hello[:100], "tls": hello}[kind]
kept = collections.deque(maxlen=300)
count = 0
while True:
    try:
        one = socket.create_connection(("127.0.0.1", port), timeout=5)
        one.send(words)
        kept.append(one)
    except OSError:
        pass
    count += 1
    if count % 500 == 0:
        print(count, flush=True)
"""


@contextmanager
def flood(gateway: RunningGateway, kind: str) -> Iterator[None]:
    argv = [sys.executable, "-c", FLOOD, str(gateway.port), kind]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "500\n"
        try:
            yield
            assert process.poll() is None
        finally:
            process.kill()


def portal(gateway: RunningGateway) -> Target:
    """The gateway as the portal knows it (``SessionManager.reach``)."""
    return Target(
        addresses=("127.0.0.1",),
        port=gateway.port,
        certificate=gateway.certificate,
        headers=[(b"authorization", f"Bearer {TOKEN}".encode())],
        name=knock(TOKEN.encode()),
    )


def gets_in(target: Target, tries: int) -> int:
    async def ask_all() -> int:
        count = 0
        for _ in range(tries):
            try:
                status, _ = await call(target, "GET", "/healthz", target.headers)
                count += status == 200
            except UpstreamError:
                pass
        return count

    return asyncio.run(ask_all())


@pytest.mark.parametrize("kind", ["silent", "letter", "http", "half", "tls"])
def test_the_portal_gets_in_through_a_flood_from_its_own_machine(
    gateway: RunningGateway, kind: str
) -> None:
    with flood(gateway, kind):
        assert gets_in(portal(gateway), 30) == 30


@pytest.mark.parametrize("put_out", [2, 3])
def test_a_portal_that_is_put_out_before_its_greeting_comes_again(
    tmp_path: Path, put_out: int
) -> None:
    """A gateway lets the silent go in a flood, and on a busy machine the greeting may come late."""
    tls, certificate = make_certificate(tmp_path, "ml-alice-abcdefghij")
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        target = Target(
            addresses=("127.0.0.1",),
            port=listener.getsockname()[1],
            certificate=certificate,
            name=knock(b"token"),
        )

        def serve() -> None:
            for _ in range(put_out):
                listener.accept()[0].close()
            if put_out < 3:
                with tls.wrap_socket(listener.accept()[0], server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        served = pool.submit(serve)
        try:
            if put_out < 3:
                assert asyncio.run(call(target, "GET", "/", [])) == (200, b"ok")
            else:
                with pytest.raises(UpstreamError, match="cannot be reached"):
                    asyncio.run(call(target, "GET", "/", []))
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # who still waits there is woken
        served.result()


def test_the_portals_greeting_opens_nothing(gateway: RunningGateway) -> None:
    stranger = replace(portal(gateway), headers=[])
    status, _ = asyncio.run(call(stranger, "GET", "/healthz", []))
    assert status == 401
    assert TOKEN not in stranger.name


@pytest.fixture
def calm(host: FakeHost) -> Iterator[RunningGateway]:
    """A gateway that no flood has come to."""
    with running_gateway(str(host.path)) as gateway:
        yield gateway


@pytest.fixture
def gracious(host: FakeHost) -> Iterator[RunningGateway]:
    """It leaves who came in peace for longer than a crowd takes to come."""
    constants = {"moonlight_spawner.agent.gateway.strangers._GRACE_SECONDS": PATIENCE}
    with running_gateway(str(host.path), constants=constants) as gateway:
        yield gateway


def test_who_is_in_the_middle_of_a_greeting_is_not_turned_away_for_the_newest(
    gracious: RunningGateway,
) -> None:
    gateway = gracious
    with connect(gateway) as owner:
        owner.sendall(b"GET /healthz HTTP/1.1\r\n")
        crowd = []
        for _ in range(150):
            crowd.append(connect(gateway))
            crowd[-1].sendall(b"GET / HTTP")
        try:
            with pytest.raises(ConnectionError):  # the house is full
                if crowd[-1].recv(1) == b"":
                    raise ConnectionError
            assert ask_on(owner, f"Host: portal\r\n{BEARER}").status == 200
        finally:
            for one in crowd:
                one.close()


def test_a_browser_with_the_cookie_is_not_counted(calm: RunningGateway) -> None:
    """Through a node proxy each request may come on a connection of its own, in TLS."""
    gateway = calm
    cookie = login(gateway, TOKEN, tls=True).header("set-cookie").split(";")[0]
    head = get("/healthz", f"Cookie: {cookie}\r\n", bearer=False)
    for _ in range(300):
        with connect(gateway, tls=True) as connection:
            assert ask_on(connection, head).status == 200


@pytest.mark.parametrize("tls", [False, True])
def test_a_stranger_gets_one_answer_a_connection(calm: RunningGateway, tls: bool) -> None:
    """Few connections with requests without end would take the loop that relays the stream."""
    with connect(calm, tls) as connection:
        first = ask_on(connection, get("/", bearer=False))
        assert (first.status, first.header("connection")) == (401, "close")
        assert ask_on(connection, get("/", bearer=False)).status == 0


def test_a_stranger_who_shares_the_owners_connection_ends_it(calm: RunningGateway) -> None:
    """A portal's proxy keeps its connections, and sends by them whoever comes."""
    with connect(calm, tls=False) as connection:
        assert ask_on(connection, get("/healthz")).status == 200
        strangers = ask_on(connection, get("/", bearer=False))
        assert (strangers.status, strangers.header("connection")) == (401, "close")
        assert ask_on(connection, get("/healthz")).status == 0


def test_who_has_shown_a_secret_goes_on(calm: RunningGateway) -> None:
    with connect(calm, tls=True) as connection:
        for _ in range(3):
            answer = ask_on(connection, get("/healthz"))
            assert (answer.status, answer.header("connection")) == (200, "")


def test_afterwards_everybody_is_served_again(gateway: RunningGateway) -> None:
    with flood(gateway, "http"):
        pass

    def served() -> bool:
        with connect(gateway) as connection:
            return ask_on(connection, get("/", bearer=False)).status == 401

    wait_for(served)


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.9.10", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("10.1.2.3", "10.1.2.3"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_whose_an_address_is(address: str, whose: str) -> None:
    assert source(address) == whose


def test_one_source_cannot_use_up_what_others_have() -> None:
    strangers = Strangers()
    for _ in range(2000):
        if visitor := strangers.let_in("10.0.0.1"):
            visitor.leave()
    assert strangers.let_in("10.0.0.1") is None
    assert strangers.let_in("10.0.0.2") is not None
