"""The server's side of an HTTP/1.1 connection: h11 decides what is valid, a Wire carries it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from http import HTTPStatus

import h11

from .headers import Headers
from .upstream import MAX_HEAD_BYTES
from .wire import Wire

HEAD_SECONDS = 15.0
IDLE_SECONDS = 75.0


@dataclass(frozen=True)
class Request:
    """The head of a request. ``path`` is as sent, still percent-encoded, without the query."""

    method: str
    path: str
    query: str
    headers: Headers

    @property
    def target(self) -> bytes:
        return (f"{self.path}?{self.query}" if self.query else self.path).encode("latin-1")


class Incoming:
    """Requests of one connection, one after the other.

    Parameters
    ----------
    every
        What becomes of the headers of every answer, whoever gives it.
    """

    def __init__(self, wire: Wire, every: Callable[[Headers], Headers] = lambda headers: headers):
        self.wire = wire
        self._every = every
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._first = True
        self._declared = 0
        self.last = False  #: the next answer ends the connection, and says so

    async def request(self) -> Request | None:
        """The next request's head; None when the peer is done or too slow.

        Raises
        ------
        h11.RemoteProtocolError
            It is not HTTP; :meth:`refuse` may still answer.
        """
        if not self._first:
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return None
            self._http.start_next_cycle()
        seconds = HEAD_SECONDS if self._first else IDLE_SECONDS
        self._first = False
        try:
            event = await asyncio.wait_for(self._next(), seconds)
        except asyncio.TimeoutError:
            return None
        if not isinstance(event, h11.Request):
            return None
        if event.http_version not in (b"1.0", b"1.1"):
            raise h11.RemoteProtocolError("the version of HTTP must be 1.0 or 1.1")
        names = {name for name, _ in event.headers}
        if {b"content-length", b"transfer-encoding"} <= names:
            # RFC 9112 6.1: two lengths are the mark of a smuggled request.
            raise h11.RemoteProtocolError("it has a length and is chunked")
        path, _, query = event.target.decode("latin-1").partition("?")
        if not path.startswith("/"):
            raise h11.RemoteProtocolError("the request target must be a path")
        lengths = [value for name, value in event.headers if name == b"content-length"]
        self._declared = int(lengths[0]) if lengths else 0
        return Request(event.method.decode("latin-1"), path, query, list(event.headers))

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body as it comes."""
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise ConnectionError("the request ended in the middle of its body")

    async def short_body(self, limit: int) -> bytes | None:
        """The whole body, None if it has over ``limit`` bytes: known by its length before it is
        read, else read so far and no further.

        Raises
        ------
        asyncio.TimeoutError
            It is slower than a head may be: a stranger must not hold a connection by it.
        """

        if self._declared > limit:
            return None

        async def read() -> bytes | None:
            data = b""
            async for part in self.body():
                data += part
                if len(data) > limit:
                    return None
            return data

        return await asyncio.wait_for(read(), HEAD_SECONDS)

    async def begin(self, status: int, headers: Headers, reason: bytes = b"") -> None:
        """The head of the answer."""
        headers = self._every(headers)
        if self.last:
            headers = [*headers, (b"connection", b"close")]
        await self._send(
            h11.Response(status_code=status, headers=headers, reason=reason or _phrase(status))
        )

    async def send(self, data: bytes) -> None:
        """A part of the answer's body."""
        if data:
            await self._send(h11.Data(data=data))

    async def finish(self) -> None:
        """The end of the answer."""
        await self._send(h11.EndOfMessage())

    async def answer(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """A whole answer at once."""
        await self.begin(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self.send(body)
        await self.finish()

    async def refuse(self, status: int, text: str) -> None:
        """A last word to a peer that does not speak HTTP."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            await self.answer(status, headers, text.encode())

    async def switch(self, headers: Headers) -> tuple[asyncio.Transport, bytes]:
        """Agree to the upgrade and give the bare transport and what came early."""
        await self._send(
            h11.InformationalResponse(
                status_code=101, headers=headers, reason=b"Switching Protocols"
            )
        )
        transport, leftover = self.wire.detach()
        return transport, bytes(self._http.trailing_data[0]) + leftover

    @property
    def declared(self) -> int:
        """How long the request says that its body is."""
        return self._declared

    @property
    def has_unread(self) -> bool:
        """Whether its end has not been read."""
        return self._http.their_state is h11.SEND_BODY

    def unread(self) -> bool:
        """Whether a part of the request's body is still to come: then the connection cannot go on."""
        if self._http.their_state is h11.SEND_BODY:
            return not isinstance(self._http.next_event(), h11.EndOfMessage)
        return False

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            await self.wire.write(data)

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.wire.read())
        return event


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
