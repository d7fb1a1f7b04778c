"""Sockets, TLS and HTTP/1.1 as the real one's small web server speaks it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

_IDLE_SECONDS = 5
_REASONS = {
    200: "OK",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
}


class Wire(Protocol):
    """What a plain and a TLS connection have in common."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> object: ...


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    remote: str
    local: str
    certificate: bytes | None = None


@dataclass
class Answer:
    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    close: bool = False

    def wire(self) -> bytes:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        lines = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}"]
        lines += [f"{k}: {v}" for k, v in self.headers.items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body


#: Gives the answer, or None to end the connection without one.
Handler = Callable[[Request], "Answer | None"]


def listen(address: str, family: str, port: int) -> socket.socket:
    """A listening socket with the real one's options. OSError says what the real one logs."""
    v6 = ":" in address
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if v6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((address, port))
        sock.listen(4096)
    except OSError:
        sock.close()
        raise
    return sock


def tls(pkey: Path, cert: Path, clients: bool) -> SSL.Context:
    """``clients``: a certificate is demanded and taken whoever signed it; who may is decided
    after the handshake (serverinfo-https-nocert.txt: an alert without, an answer with one)."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_privatekey_file(str(pkey))
    context.use_certificate_chain_file(str(cert))
    if clients:
        mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT | SSL.VERIFY_CLIENT_ONCE
        context.set_verify(mode, lambda *_: True)
        context.set_session_id(b"sunshine")
    return context


class Server(threading.Thread):
    """Accepts on one socket, a thread for each connection."""

    def __init__(self, sock: socket.socket, handler: Handler, context: SSL.Context | None = None):
        super().__init__(daemon=True)
        self._sock, self._handler, self._context = sock, handler, context

    def run(self) -> None:
        while True:
            try:
                sock, peer = self._sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock, plain(peer[0])), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _serve(self, sock: socket.socket, remote: str) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limit = struct.pack("ll", _IDLE_SECONDS, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        local = plain(sock.getsockname()[0])
        wire: Wire = sock
        certificate = None
        try:
            if self._context is not None:
                secure = SSL.Connection(self._context, sock)
                secure.set_accept_state()
                secure.do_handshake()
                peer = secure.get_peer_certificate(as_cryptography=True)
                certificate = peer.public_bytes(Encoding.DER) if peer else None
                wire = secure
            left = b""
            while True:
                request, left = _read(wire, left, remote, local)
                if request is None:
                    return
                request.certificate = certificate
                answer = self._handler(request)
                if answer is None:
                    return
                wire.sendall(answer.wire())
                if answer.close:
                    return
        except (OSError, SSL.Error, ValueError):
            return
        finally:
            if isinstance(wire, SSL.Connection):
                with contextlib.suppress(OSError, SSL.Error):
                    wire.shutdown()
            sock.close()


def plain(address: str) -> str:
    return address[7:] if address.startswith("::ffff:") else address


def _read(wire: Wire, left: bytes, remote: str, local: str) -> tuple[Request | None, bytes]:
    while b"\r\n\r\n" not in left:
        more = wire.recv(65536)
        if not more:
            return None, b""
        left += more
    head, _, left = left.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    size = int(headers.get("content-length", "0"))
    if headers.get("expect", "").lower() == "100-continue":
        wire.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(left) < size:
        more = wire.recv(65536)
        if not more:
            return None, b""
        left += more
    url = urlsplit(target)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    request = Request(method, url.path, query, headers, left[:size], remote, local)
    return request, left[size:]
