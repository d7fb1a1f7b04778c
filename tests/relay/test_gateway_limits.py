"""A gateway cannot be held up: by many, by slow ones, by those that say nothing."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.loops import LOOPS
from tests.support.waiting import PATIENCE, wait_for

from .gateway_process import TOKEN, RunningGateway, running_gateway
from .streams import open_sockets
from .wires import SWITCHED, UPGRADE, FakeHost, ask, ask_on, connect, get, login, read_head

INCOMING = "moonlight_spawner.relay.incoming"
GATEWAY = "moonlight_spawner.agent.gateway"

EACH_LOOP = pytest.mark.parametrize("loop", LOOPS, scope="module")

#: What is minutes and half minutes at a site.
HASTY_SECONDS = 1.0


@pytest.fixture
def hasty(host: FakeHost, loop: str) -> Iterator[RunningGateway]:
    """Short patience, so that its end can be waited for."""
    constants = {
        f"{INCOMING}.HEAD_SECONDS": HASTY_SECONDS,
        f"{INCOMING}.IDLE_SECONDS": HASTY_SECONDS,
        f"{GATEWAY}.server._TLS_SECONDS": HASTY_SECONDS,
        f"{GATEWAY}.listener._FIRST_WORDS_SECONDS": HASTY_SECONDS,
        "moonlight_spawner.relay.wire._LINGER_SECONDS": HASTY_SECONDS,
    }
    with running_gateway(str(host.path), constants=constants, loop=loop) as gateway:
        yield gateway


def closed_by_the_gateway(connection: socket.socket) -> bool:
    connection.settimeout(PATIENCE)
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def served(gateway: RunningGateway) -> socket.socket:
    """A connection on which a request was answered. On a busy machine the patience of a gateway may be
    over before anything is said, so it is tried again."""

    def one() -> socket.socket | None:
        connection = connect(gateway)
        if ask_on(connection, get("/")).status == 200:
            return connection
        connection.close()
        return None

    return wait_for(one)  # type: ignore[return-value]


def joined(gateway: RunningGateway) -> socket.socket:
    """A stream; tried again as well."""

    def one() -> socket.socket | None:
        connection = connect(gateway)
        with contextlib.suppress(ConnectionError):
            connection.sendall((get("/", UPGRADE) + "\r\n").encode())
            read_head(connection)
            return connection
        connection.close()
        return None

    return wait_for(one)  # type: ignore[return-value]


def greeted(gateway: RunningGateway, tls: bool) -> socket.socket:
    """A connection, in TLS one whose handshake came to its end; tried again as well."""

    def one() -> socket.socket | None:
        with contextlib.suppress(OSError):
            return connect(gateway, tls)
        return None

    return wait_for(one)  # type: ignore[return-value]


def closed(connections: list[socket.socket]) -> int:
    """How many of them the other end has closed by now."""
    count = 0
    for connection in select.select(connections, [], [], 0)[0]:
        try:
            count += connection.recv(1, socket.MSG_PEEK) == b""
        except ConnectionError:
            count += 1
    return count


@pytest.mark.parametrize(
    "first", [b"", b"\x16", b"\x16\x03\x01\x02\x00", b"G", b"GET / HTTP/1.1\r\n"]
)
def test_who_connects_and_says_no_more_is_let_go(hasty: RunningGateway, first: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(first)
        assert closed_by_the_gateway(connection)


@EACH_LOOP
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_head_that_trickles_in_is_cut_off(hasty: RunningGateway, tls: bool) -> None:
    """Each byte is in time; the head as a whole is not. He goes on when he is told that it is over: of
    TLS, uvloop by itself hears him out for half a minute then.
    """
    with greeted(hasty, tls) as connection:
        with contextlib.suppress(OSError):
            for byte in get("/").encode():
                connection.sendall(bytes([byte]))
                time.sleep(0.1)
            raise AssertionError("the whole head was taken")
        assert closed_by_the_gateway(connection)


def test_a_login_whose_body_never_comes_is_cut_off(hasty: RunningGateway) -> None:
    """Nobody is logged in yet, so this costs a stranger nothing but a connection."""
    with connect(hasty) as connection:
        connection.sendall(b"POST /login HTTP/1.1\r\nHost: p\r\nContent-Length: 9\r\n\r\ntok")
        assert closed_by_the_gateway(connection)


@pytest.mark.parametrize("length", ["Content-Length: 314572800", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", ["/login", "/", "/api/upload", "/control/clipboard", "/signaling"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_strangers_body_is_refused_before_it_comes(
    gateway: RunningGateway, host: FakeHost, path: str, length: str, tls: bool
) -> None:
    with connect(gateway, tls) as connection:
        start = b"1400\r\n" + b"x" * 0x1400 if "chunked" in length else b""
        answer = ask_on(connection, f"POST {path} HTTP/1.1\r\nHost: p\r\n{length}\r\n", start)
        assert answer.status == (413 if path == "/login" else 401)
        assert closed_by_the_gateway(connection)
    assert host.heads == []


def test_bodies_that_strangers_send_all_the_same_are_not_kept(gateway: RunningGateway) -> None:
    before = gateway.forget_peak()
    crowd = [connect(gateway) for _ in range(60)]
    for connection in crowd:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: p\r\nContent-Length: 314572800\r\n\r\n")
            for _ in range(16):
                connection.sendall(b"x" * 2**20)
        connection.close()
    assert gateway.memory() - before < 16 * 2**20


def test_between_requests_one_may_be_silent_for_a_while_only(hasty: RunningGateway) -> None:
    with served(hasty) as connection:
        assert closed_by_the_gateway(connection)


def test_a_stream_may_be_silent_as_long_as_it_likes(hasty: RunningGateway, host: FakeHost) -> None:
    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        connection.sendall(SWITCHED)
        connection.recv(1)
        connection.sendall(b"still here")

    host.behave = behave
    with joined(hasty) as connection:
        time.sleep(3 * HASTY_SECONDS)
        connection.sendall(b"?")
        assert connection.recv(100) == b"still here"


def test_a_slow_host_is_waited_for(hasty: RunningGateway, host: FakeHost) -> None:
    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        time.sleep(3 * HASTY_SECONDS)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    host.behave = behave
    assert wait_for(lambda: ask(hasty, get("/")).body) == b"late"


@EACH_LOOP
def test_a_crowd_of_strangers_is_limited_and_keeps_the_owner_not_out(
    host: FakeHost, loop: str
) -> None:
    # Nobody is let go for his silence before he is looked at.
    constants = {f"{GATEWAY}.listener._FIRST_WORDS_SECONDS": PATIENCE}
    with running_gateway(str(host.path), constants=constants, loop=loop) as gateway:
        before = open_sockets(gateway.pid)
        owner = connect(gateway)
        assert ask_on(owner, get("/")).status == 200
        crowd = [connect(gateway) for _ in range(100)]
        try:
            wait_for(lambda: closed(crowd) >= 100 - 64)
            assert closed(crowd) == 100 - 64
            assert open_sockets(gateway.pid) - before <= 70
            # The owner who is in stays in, and comes in from another machine.
            assert ask_on(owner, get("/")).status == 200
            with socket.socket() as elsewhere:
                elsewhere.bind(("127.0.0.2", 0))
                elsewhere.connect(("127.0.0.1", gateway.port))
                assert ask_on(elsewhere, get("/")).status == 200
        finally:
            owner.close()
            for connection in crowd:
                connection.close()
        wait_for(lambda: open_sockets(gateway.pid) <= before)
        assert ask(gateway, get("/")).status == 200
        assert login(gateway, TOKEN).status == 303


def test_who_is_in_does_not_count_as_a_stranger(gateway: RunningGateway) -> None:
    inside = [connect(gateway) for _ in range(60)]
    try:
        for connection in inside:
            assert ask_on(connection, get("/")).status == 200
        more = [connect(gateway) for _ in range(40)]
        inside += more
        for connection in more:
            assert ask_on(connection, get("/")).status == 200
    finally:
        for connection in inside:
            connection.close()


@pytest.fixture
def patient(host: FakeHost) -> Iterator[RunningGateway]:
    """It lets strangers come as fast as they like."""
    names = ("_RATE", "_BURST", "_RATE_OF_ALL", "_BURST_OF_ALL")
    constants = {f"{GATEWAY}.strangers.{name}": 1e6 for name in names}
    with running_gateway(str(host.path), constants=constants) as gateway:
        yield gateway


def test_guesses_from_everywhere_need_no_memory(patient: RunningGateway) -> None:
    gateway = patient
    before = gateway.forget_peak()
    for number in range(1500):
        with socket.socket() as connection:
            connection.bind((f"127.{1 + number // 250}.{number % 250}.7", 0))
            connection.connect(("127.0.0.1", gateway.port))
            head = "POST /login HTTP/1.1\r\nHost: p\r\nContent-Length: 7\r\n"
            assert ask_on(connection, head, b"token=x").status == 403
    assert gateway.memory() - before < 16 * 2**20
