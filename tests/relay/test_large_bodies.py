"""A gigabyte passes the gateway in either direction, and the gateway holds almost nothing of it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.waiting import PATIENCE, wait_for

from .gateway_process import RunningGateway
from .streams import Check, Worker, pattern, receive, send, wait_until_still
from .wires import OK, FakeHost, connect, get, read_head

GIGABYTE = 2**30
ALLOWED = 48 * 2**20  # bytes of memory that a transfer may cost the gateway


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_gigabyte_down(gateway: RunningGateway, host: FakeHost, tls: bool) -> None:
    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
        send(connection, GIGABYTE)

    host.behave = behave
    before = gateway.forget_peak()
    with connect(gateway, tls) as connection:
        connection.sendall(get("/").encode() + b"\r\n")
        head, first = read_head(connection)
        assert b"content-length: %d" % GIGABYTE in head.lower()
        receive(connection, GIGABYTE, first)
    assert gateway.memory() - before < ALLOWED


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_gigabyte_up(gateway: RunningGateway, host: FakeHost, tls: bool) -> None:
    arrived: list[int] = []

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        receive(connection, GIGABYTE, rest)
        arrived.append(GIGABYTE)
        connection.sendall(OK)

    host.behave = behave
    before = gateway.forget_peak()
    with connect(gateway, tls) as connection:
        head = get("/", f"Content-Length: {GIGABYTE}\r\n").replace("GET", "PUT")
        connection.sendall(head.encode() + b"\r\n")
        send(connection, GIGABYTE)
        answer, _ = read_head(connection)
    assert answer.startswith(b"HTTP/1.1 200") and arrived == [GIGABYTE]
    assert gateway.memory() - before < ALLOWED


def test_chunked_bodies_of_any_size_up_and_down(gateway: RunningGateway, host: FakeHost) -> None:
    """The same bytes come back, though each hop cuts them anew."""
    size, chunk = 50 * 2**20, 33_333

    def dechunk(connection: socket.socket, data: bytes) -> Check:
        check = Check()
        while True:
            while not (line := re.match(rb"([0-9a-f]+)\r\n", data, re.I)):
                data += connection.recv(2**20)
            length = int(line[1], 16)
            while len(data) < line.end() + length + 2:
                data += connection.recv(2**20)
            check.take(data[line.end() : line.end() + length])
            data = data[line.end() + length + 2 :]
            if not length:
                return check

    def chunks(connection: socket.socket) -> None:
        sent = Check()
        for block in _pieces(size, chunk):
            connection.sendall(b"%x\r\n%s\r\n" % (len(block), block))
            sent.take(block)
        connection.sendall(b"0\r\n\r\n")

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        assert b"content-length" not in head.lower()
        assert dechunk(connection, rest).size == size
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunks(connection)

    host.behave = behave
    with connect(gateway) as connection:
        head = get("/", "Transfer-Encoding: chunked\r\n").replace("GET", "POST")
        connection.sendall(head.encode() + b"\r\n")
        chunks(connection)
        _, first = read_head(connection)
        assert dechunk(connection, first).size == size


def _pieces(size: int, length: int) -> Iterator[bytes]:
    pending = b""
    for block in pattern(size):
        pending += block
        while len(pending) >= length:
            yield pending[:length]
            pending = pending[length:]
    if pending:
        yield pending


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_browser_that_does_not_read_a_download_costs_nothing(
    gateway: RunningGateway, host: FakeHost, tls: bool
) -> None:
    size, sent = 300 * 2**20, [0]

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        send(connection, size, sent)

    host.behave = behave
    before = gateway.forget_peak()
    with connect(gateway, tls) as connection:
        connection.sendall(get("/").encode() + b"\r\n")
        wait_for(lambda: sent[0] > 0)
        assert wait_until_still(sent) < size / 2, "nothing holds the host back"
        assert gateway.memory() - before < ALLOWED
        _, first = read_head(connection)
        receive(connection, size, first)
    wait_for(lambda: sent[0] == size)  # counted by the host, which may be behind the browser
    assert gateway.memory() - before < ALLOWED


def test_a_host_that_does_not_read_an_upload_costs_nothing(
    gateway: RunningGateway, host: FakeHost
) -> None:
    size, sent = 300 * 2**20, [0]
    release = threading.Event()

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        release.wait(PATIENCE)
        receive(connection, size, rest)
        connection.sendall(OK)

    host.behave = behave
    before = gateway.forget_peak()
    with connect(gateway) as connection:
        head = get("/", f"Content-Length: {size}\r\n").replace("GET", "PUT")
        connection.sendall(head.encode() + b"\r\n")
        upload = Worker(send, connection, size, sent)
        wait_for(lambda: sent[0] > 0)
        assert wait_until_still(sent) < size / 2
        assert gateway.memory() - before < ALLOWED
        release.set()
        upload.finish()
        assert read_head(connection)[0].startswith(b"HTTP/1.1 200")
