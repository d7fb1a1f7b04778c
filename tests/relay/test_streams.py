"""WebSockets through the gateway: once agreed upon, bytes pass as they are, and none is kept."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterable

import pytest

from tests.support.loops import LOOPS
from tests.support.waiting import PATIENCE, wait_for

from .gateway_process import RunningGateway, running_gateway
from .streams import (
    CHUNK,
    Check,
    Worker,
    open_sockets,
    pattern,
    receive,
    send,
    tcp_connections,
    wait_until_still,
)
from .wires import SWITCHED, UPGRADE, FakeHost, connect, get, read_all, read_head

ALLOWED = 48 * 2**20


@pytest.fixture(scope="module", params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    """Each: this is where bytes pass."""
    return str(request.param)


BOTH = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


def join(gateway: RunningGateway, tls: bool = False) -> tuple[socket.socket, bytes]:
    """A stream through the gateway, and what came right behind the agreement."""
    connection = connect(gateway, tls)
    connection.sendall((get("/api/websockets", UPGRADE) + "\r\n").encode())
    head, rest = read_head(connection)
    assert head.startswith(b"HTTP/1.1 101 ")
    return connection, rest


async def talk(
    gateway: RunningGateway, tls: bool, up: Iterable[bytes], down: Check, size: int
) -> None:
    """A browser that sends from its first moment on and takes ``size`` bytes meanwhile.

    Not with threads: of one TLS connection only one may make use at a time.
    """
    context = None
    if tls:
        context = ssl.create_default_context(cadata=gateway.certificate)
        context.check_hostname = False
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.port, ssl=context, server_hostname="" if tls else None
    )

    async def send_all() -> None:
        writer.write((get("/", UPGRADE) + "\r\n").encode())
        for chunk in up:
            writer.write(chunk)
            await writer.drain()

    sending = asyncio.ensure_future(send_all())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    while down.size < size:
        data = await reader.read(CHUNK)
        assert data, f"the stream ended after {down.size} bytes"
        down.take(data)
    await sending
    assert await reader.read() == b""
    writer.close()


@BOTH
@pytest.mark.parametrize("size", [1, 70_000, 3_000_000, 60_000_000])
def test_bytes_pass_both_ways_at_once_from_the_first(
    gateway: RunningGateway, host: FakeHost, tls: bool, size: int
) -> None:
    """The host speaks in the same breath as its 101, the browser before it has seen it."""
    first = b"".join(pattern(min(size, 3_000_000)))

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        upload = Worker(receive, connection, size, rest)
        connection.sendall(SWITCHED + first)
        send(connection, size - len(first), start=len(first))
        upload.finish()

    host.behave = behave
    asyncio.run(asyncio.wait_for(talk(gateway, tls, pattern(size), Check(), size), PATIENCE))


@BOTH
def test_a_browser_that_does_not_read_costs_nothing_and_loses_nothing(
    gateway: RunningGateway, host: FakeHost, tls: bool
) -> None:
    size, sent = 300 * 2**20, [0]

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        connection.sendall(SWITCHED)
        send(connection, size, sent)

    host.behave = behave
    before = gateway.forget_peak()
    connection, first = join(gateway, tls)
    with connection:
        wait_for(lambda: sent[0] > 0)
        assert wait_until_still(sent) < size / 2, "nothing holds the host back"
        assert gateway.memory() - before < ALLOWED
        receive(connection, size, first)
        assert connection.recv(1) == b""
    assert gateway.memory() - before < ALLOWED


@BOTH
def test_a_host_that_does_not_read_costs_nothing_and_loses_nothing(
    gateway: RunningGateway, host: FakeHost, tls: bool
) -> None:
    size, sent, release = 300 * 2**20, [0], threading.Event()

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        connection.sendall(SWITCHED)
        release.wait(PATIENCE)
        receive(connection, size, rest)
        connection.sendall(b"all")

    host.behave = behave
    before = gateway.forget_peak()
    connection, first = join(gateway, tls)
    with connection:
        upload = Worker(send, connection, size, sent)
        wait_for(lambda: sent[0] > 0)
        assert wait_until_still(sent) < size / 2, "nothing holds the browser back"
        assert gateway.memory() - before < ALLOWED
        release.set()
        upload.finish()
        assert first + connection.recv(3) == b"all"
    assert gateway.memory() - before < ALLOWED


@pytest.mark.parametrize("side", ["browser", "host"])
@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_when_one_end_goes_the_other_is_told(
    gateway: RunningGateway, host: FakeHost, side: str, how: str
) -> None:
    joined, ended = threading.Event(), threading.Event()
    tail: list[bytes] = []

    def leave(connection: socket.socket) -> None:
        connection.sendall(b"last words")
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if how == "half":
            connection.shutdown(socket.SHUT_WR)
            read_all(connection)
        else:
            connection.close()

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        connection.sendall(SWITCHED)
        joined.wait(PATIENCE)
        if side == "host":
            leave(connection)
        else:
            tail.append(rest + read_all(connection))
        ended.set()

    host.behave = behave
    before = open_sockets(gateway.pid)
    connection, first = join(gateway)
    joined.set()
    with connection:
        if side == "browser":
            leave(connection)
        else:
            tail.append(first + read_all(connection))
        assert ended.wait(PATIENCE)
    assert tail == [b"last words"] or how == "reset"
    wait_for(lambda: open_sockets(gateway.pid) <= before)


def test_a_browser_that_leaves_without_reading_frees_everything(host: FakeHost, loop: str) -> None:
    """It says that it sends no more and takes nothing either: nobody may wait for it for ever."""
    with running_gateway(
        str(host.path),
        constants={"moonlight_spawner.relay.wire._LINGER_SECONDS": 0.5},
        loop=loop,
    ) as gateway:
        sent = [0]

        def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
            connection.sendall(SWITCHED)
            send(connection, 2**30, sent)

        host.behave = behave
        before = open_sockets(gateway.pid)
        connection, _ = join(gateway)
        wait_for(lambda: sent[0] > 0)
        wait_until_still(sent)
        connection.shutdown(socket.SHUT_WR)
        wait_for(lambda: open_sockets(gateway.pid) <= before)
        connection.close()


def test_small_messages_are_sent_at_once_on_both_sides(tcp_host: FakeHost, loop: str) -> None:
    """TCP_NODELAY, looked up in the gateway's own sockets."""
    done = threading.Event()

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        connection.sendall(SWITCHED)
        done.wait(PATIENCE)

    tcp_host.behave = behave
    with running_gateway(port=tcp_host.port, loop=loop) as gateway:
        for tls in (False, True):
            connection, _ = join(gateway, tls)
            try:
                sockets = tcp_connections(gateway.pid)
                peers = {s.getpeername()[1] for s in sockets}
                assert {tcp_host.port, connection.getsockname()[1]} <= peers
                for each in sockets:
                    assert each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), each
                    each.close()
            finally:
                connection.close()
        done.set()
