"""A request to the next hop: a Unix socket or TCP, plain or TLS with one pinned certificate."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import h11

from .addresses import race
from .headers import Headers
from .names import addresses_of, is_here
from .wire import Wire, WireClosed, peer_uid

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
CALL_SECONDS = 30.0  # a pairing waits some seconds for its proof
# A gateway in a flood of silent strangers lets the oldest of them go, and who is slow to greet on a busy
# machine may be that. Nothing has been said then.
_TRIES = 3
MAX_HEAD_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 1 << 20
# An answer may come in chunks of one byte, each of which takes as long as a whole buffer: so many are taken
# apart before others have their turn, and so many a small answer may have.
_PIECES_AT_ONCE, _MOST_PIECES = 128, 1024
# Before the answer itself: each is a head, and there is no end of them.
_MOST_HEADS = 16
_LISTEN = "0A"


class UpstreamError(ConnectionError):
    """The next hop cannot be reached or does not speak HTTP. The text says which and why."""


@dataclass(frozen=True)
class Target:
    """Where the next hop listens.

    Either ``path`` (a Unix socket) or ``addresses`` and ``port``; ``certificate`` is the PEM that
    a TLS peer must show, to the byte, and ``name`` what it is asked for (:mod:`.knock`). ``pin`` is in the
    place of a certificate where only its SHA-256 is known.
    ``near`` is a Unix socket of the same peer, tried before its addresses; without TLS, so its listener has
    to be of this very user. ``headers`` go with every request. ``uid`` is whose the listening port on this
    machine has to be: anyone may have taken a port of the loopback. ``away``: somebody else has said where
    it is, and it must not be this machine's own loopback, by whatever name.
    """

    path: str | None = None
    addresses: tuple[str, ...] = ()
    port: int = 0
    certificate: str | None = None
    pin: bytes = b""
    headers: Headers = field(default_factory=list)
    name: str = ""
    uid: int | None = None
    away: bool = False
    near: str | None = None

    def __str__(self) -> str:
        names = (f"[{name}]" if ":" in name else name for name in self.addresses)
        return self.path or f"{'/'.join(names)}:{self.port}"


async def connect(target: Target) -> Wire:
    """Open a connection.

    Raises
    ------
    UpstreamError
    """
    if target.near is not None:
        with contextlib.suppress(OSError, asyncio.TimeoutError):  # the addresses lead there, too
            return await _open_near(target.near)
    try:
        if target.path is not None:
            wire = await _open_path(target.path)
        else:
            wire = await race(target.addresses, target.port, lambda a: _open(target, a))
    except (OSError, asyncio.TimeoutError, UnicodeError) as e:  # the last: no host's name
        raise UpstreamError(f"{target} cannot be reached: {_words(e)}") from e
    if target.uid is not None and listening_uids(target.port) != {target.uid}:
        wire.abort()
        raise UpstreamError(f"{target} is another user's port")
    return wire


async def _open_path(path: str) -> Wire:
    opening = asyncio.get_running_loop().create_unix_connection(Wire, path)
    _, wire = await asyncio.wait_for(opening, CONNECT_SECONDS)
    return wire


async def _open_near(path: str) -> Wire:
    """
    Raises
    ------
    OSError
        Nobody listens there, or somebody else.
    """
    wire = await _open_path(path)
    if (uid := peer_uid(wire.transport.get_extra_info("socket"))) != os.geteuid():
        wire.abort()
        log.warning("%s is not used: uid %s listens there", path, uid)
        raise PermissionError(path)
    return wire


async def _open(target: Target, host: str) -> Wire:
    """A connection to one of its hosts, with the certificate that it has to show."""
    wire = await _open_any(target, host)
    if _speaks_tls(target) and not _same(wire, target):
        wire.abort()
        raise UpstreamError("it shows another certificate than the session's own")
    return wire


async def _open_any(target: Target, host: str) -> Wire:
    error: Exception = OSError(f"{host} has no address")
    for address in await asyncio.wait_for(addresses_of(host), CONNECT_SECONDS):
        if target.away and is_here(address):
            error = OSError(f"{host} is {address}, which is this very machine")
            continue
        try:
            return await _open_one(target, address)
        except (OSError, asyncio.TimeoutError) as e:
            error = e
    raise error


async def _open_one(target: Target, address: str) -> Wire:
    context = _pinned(target.certificate) if _speaks_tls(target) else None
    for tries_left in reversed(range(_TRIES)):
        opening = asyncio.get_running_loop().create_connection(
            Wire,
            address,
            target.port,
            ssl=context,
            server_hostname=target.name if context else None,
        )
        try:
            _, wire = await asyncio.wait_for(opening, CONNECT_SECONDS)
            return wire
        except ConnectionResetError:
            if not tries_left:
                raise
    raise AssertionError


def listening_uids(port: int, table: str = "/proc/net/tcp") -> set[int]:
    """Whose sockets listen on this TCP port of the machine, IPv4 (proc(5), /proc/net/tcp)."""
    uids = set()
    with open(table) as f:
        for line in f.readlines()[1:]:
            _, local, _, state, _, _, _, uid, *_ = line.split()
            if state == _LISTEN and int(local.rpartition(":")[2], 16) == port:
                uids.add(int(uid))
    return uids


def all_listening_uids(port: int) -> set[int]:
    """As :func:`listening_uids`, of IPv6 as well where the machine has it."""
    tables = ("/proc/net/tcp", "/proc/net/tcp6")
    return {uid for t in tables if os.path.exists(t) for uid in listening_uids(port, t)}


class Exchange:
    """One request and its answer on a connection of its own."""

    def __init__(self, wire: Wire):
        self.wire = wire
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self.response: h11.Response | h11.InformationalResponse
        self.pieces = 0  # in which the body has come

    @classmethod
    async def begin(cls, target: Target, method: bytes, path: bytes, headers: Headers) -> Exchange:
        """Connect and send the head of a request.

        Raises
        ------
        UpstreamError
        """
        exchange = cls(await connect(target))
        if not any(n == b"host" for n, _ in headers):
            headers = [(b"host", b"localhost"), *headers]
        try:
            await exchange._send(h11.Request(method=method, target=path, headers=headers))
        except BaseException:
            exchange.wire.abort()
            raise
        return exchange

    async def send(self, data: bytes) -> None:
        """A part of the request's body."""
        if data:
            await self._send(h11.Data(data=data))

    async def finish(self) -> None:
        """The end of the request's body."""
        await self._send(h11.EndOfMessage())

    async def head(self) -> h11.Response | h11.InformationalResponse:
        """The head of the answer: a response, or 101 after which :meth:`switched` is called."""
        for _ in range(_MOST_HEADS):
            event = await self._next()
            if isinstance(event, h11.InformationalResponse) and event.status_code != 101:
                continue  # 100 and 103 concern this hop only
            if isinstance(event, (h11.Response, h11.InformationalResponse)):
                self.response = event
                return event
            raise UpstreamError("the connection ended before an answer came")
        raise UpstreamError("it says again and again that an answer will come")

    async def body(self) -> AsyncIterator[bytes]:
        """The answer's body as it comes: what is there already is one part, in however many chunks."""
        while True:
            parts: list[bytes] = []
            event = await self._next()
            while isinstance(event, h11.Data):
                parts.append(bytes(event.data))
                if len(parts) == _PIECES_AT_ONCE:
                    await asyncio.sleep(0)
                    break
                event = self._next_here()
            self.pieces += len(parts)
            if parts:
                yield b"".join(parts)
            if isinstance(event, h11.EndOfMessage):
                return
            if event is not h11.NEED_DATA and not isinstance(event, h11.Data):
                raise UpstreamError("the connection ended in the middle of an answer")

    def switched(self) -> tuple[asyncio.Transport, bytes]:
        """After 101: the bare transport, and bytes that came right behind the answer."""
        transport, leftover = self.wire.detach()
        return transport, bytes(self._http.trailing_data[0]) + leftover

    def close(self) -> None:
        self.wire.close()

    async def _send(self, event: h11.Event) -> None:
        try:
            data = self._http.send(event)
            if data:
                await self.wire.write(data)
        except h11.LocalProtocolError as e:
            raise UpstreamError(f"the request cannot be passed on: {e}") from e
        except WireClosed as e:
            raise UpstreamError("the connection was closed") from e

    async def _next(self) -> object:
        while (event := self._next_here()) is h11.NEED_DATA:
            try:
                self._http.receive_data(await self.wire.read())
            except h11.RemoteProtocolError as e:
                raise UpstreamError(f"the answer is not HTTP: {e}") from e
        return event

    def _next_here(self) -> object:
        """What has come already, else ``NEED_DATA``."""
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as e:
            raise UpstreamError(f"the answer is not HTTP: {e}") from e


async def call(
    target: Target,
    method: str,
    path: str,
    headers: Headers,
    body: bytes | None = None,
    seconds: float = CALL_SECONDS,
) -> tuple[int, bytes]:
    """One small request and its whole answer: status and body.

    Raises
    ------
    UpstreamError
        No answer within ``seconds``, or one over :data:`MAX_ANSWER_BYTES`, or in very many pieces.
    """
    try:
        return await asyncio.wait_for(_call(target, method, path, headers, body), seconds)
    except asyncio.TimeoutError as e:
        raise UpstreamError(f"{target} has not answered within {seconds:g} s") from e


async def _call(
    target: Target, method: str, path: str, headers: Headers, body: bytes | None
) -> tuple[int, bytes]:
    headers = [*headers, (b"connection", b"close")]
    if body is not None:
        headers += [(b"content-type", b"application/json")]
        headers += [(b"content-length", str(len(body)).encode())]
    exchange = await Exchange.begin(target, method.encode(), path.encode(), headers)
    try:
        await exchange.send(body or b"")
        await exchange.finish()
        response = await exchange.head()
        received = b""
        async for part in exchange.body():
            received += part
            if len(received) > MAX_ANSWER_BYTES:
                raise UpstreamError("the answer is too large")
            if exchange.pieces > _MOST_PIECES:
                raise UpstreamError("the answer comes in too many pieces")
        return response.status_code, received
    finally:
        exchange.close()


def _words(error: BaseException) -> str:
    """What the system says, whichever loop has asked it."""
    numbered_otherwise = (ssl.SSLError, socket.gaierror)
    if isinstance(error, OSError) and error.errno and not isinstance(error, numbered_otherwise):
        return os.strerror(error.errno)
    return str(error) or "no answer"


def _speaks_tls(target: Target) -> bool:
    return bool(target.certificate or target.pin)


def _pinned(certificate: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate itself is compared, see _same
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        context.load_verify_locations(cadata=certificate)
    else:
        context.verify_mode = ssl.CERT_NONE  # whoever shows it has proven that he has its key
    return context


def _same(wire: Wire, target: Target) -> bool:
    tls = wire.transport.get_extra_info("ssl_object")
    shown = tls.getpeercert(binary_form=True) if tls else b""
    expected = fingerprint(target.certificate) if target.certificate else target.pin
    return hashlib.sha256(shown or b"").digest() == expected


def fingerprint(certificate: str) -> bytes:
    """SHA-256 of a PEM certificate's DER form."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()
