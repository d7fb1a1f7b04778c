"""Both ends of a relay, with bare sockets: what is sent and what arrives is known to the byte."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

from tests.support.waiting import PATIENCE

from .gateway_process import TOKEN, RunningGateway

BEARER = f"Authorization: Bearer {TOKEN}\r\n"
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def connect(gateway: RunningGateway, tls: bool = False, timeout: float = PATIENCE) -> socket.socket:
    """A connection to the gateway; TLS trusts the one certificate."""
    plain = socket.create_connection(("127.0.0.1", gateway.port), timeout=timeout)
    if not tls:
        return plain
    context = ssl.create_default_context(cadata=gateway.certificate)
    context.check_hostname = False
    return context.wrap_socket(plain)


@dataclass(frozen=True)
class Answer:
    """An answer, or status 0 when the connection was closed without one."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((v for n, v in self.headers if n.lower() == name.lower()), "")


def ask(gateway: RunningGateway, head: str, body: bytes = b"", tls: bool = False) -> Answer:
    """Send a request on a connection of its own, exactly as written, and read the answer."""
    with connect(gateway, tls) as connection:
        return ask_on(connection, head, body)


def ask_on(connection: socket.socket, head: str, body: bytes = b"") -> Answer:
    with contextlib.suppress(ConnectionError):  # it may refuse before it has read all
        connection.sendall(head.encode("latin-1") + b"\r\n" + body)
    response = HTTPResponse(connection, method=head.split(" ")[0])
    try:
        response.begin()
    except OSError:
        return Answer(0, [], b"")
    return Answer(response.status, response.getheaders(), response.read())


def get(path: str, *more: str, bearer: bool = True) -> str:
    return f"GET {path} HTTP/1.1\r\nHost: portal\r\n{BEARER if bearer else ''}{''.join(more)}"


def login(gateway: RunningGateway, token: str, path: str = "/login", tls: bool = False) -> Answer:
    body = f"token={token}".encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: portal\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
    )
    return ask(gateway, head, body, tls)


def read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    """A message's head, with the empty line, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError(f"the connection ended after {data!r}")
        data += part
    head, end, rest = data.partition(b"\r\n\r\n")
    return head + end, rest


def read_all(connection: socket.socket) -> bytes:
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            data += part
    return data


def headers_of(head: bytes) -> list[tuple[str, str]]:
    """Names in lower case with their values, as they came."""
    lines = head.decode("latin-1").strip().split("\r\n")[1:]
    return [(n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]


Behaviour = Callable[[socket.socket, bytes, bytes], None]


class FakeHost:
    """What stands where a streaming host stands: keeps each request, then does as it is told."""

    def __init__(self, path: Path | None = None):
        self.path = path
        if path:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(path))
            self._listener.listen(64)
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
        self.heads: list[bytes] = []
        self.behave: Behaviour = answers(OK)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def last(self) -> bytes:
        return self.heads[-1]

    @property
    def lines(self) -> list[str]:
        """The request lines so far."""
        return [head.split(b"\r\n")[0].decode("latin-1") for head in self.heads]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with connection, contextlib.suppress(OSError):
            head, rest = read_head(connection)
            self.heads.append(head)
            self.behave(connection, head, rest)


def answers(data: bytes) -> Behaviour:
    """Read the request's body to its end, answer, close."""

    def behave(connection: socket.socket, head: bytes, rest: bytes) -> None:
        length = re.search(rb"\r\ncontent-length: *([0-9]+)", head, re.I)
        if length:
            missing = int(length[1]) - len(rest)
            while missing > 0:
                missing -= len(connection.recv(65536))
        elif b"chunked" in head.lower():
            while not rest.endswith(b"0\r\n\r\n"):
                rest += connection.recv(65536)
        connection.sendall(data)

    return behave
