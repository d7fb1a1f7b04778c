"""A WebSocket through the stream proxy: after its handshake, two sockets joined by a pipe.

No frame is looked at, so nothing is unmasked, copied or kept; a reader that stops reading stops the
writer at the other end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from moonlight_spawner.relay import headers as h
from moonlight_spawner.relay.pipe import Pipe, over
from moonlight_spawner.relay.upstream import Exchange, Target, UpstreamError
from moonlight_spawner.relay.wire import Wire, WireClosed
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from .traffic import Traffic, relayed

log = logging.getLogger(__name__)

_open: set[asyncio.Task[None]] = set()


class Refused(UpstreamError):
    """The gateway has another answer than the stream."""

    def __init__(self, status: int):
        super().__init__(f"the gateway answered {status}")
        self.status = status


async def relay_websocket(
    target: Target,
    path: bytes,
    headers: h.Headers,
    detach: Callable[[], IOStream],
    traffic: Traffic,
) -> None:
    """Open ``path`` at the gateway, then join the browser's connection to it until one ends.

    ``detach`` takes the browser's connection from tornado; it is called once the gateway has said
    yes. ``traffic`` has what passes while it does.

    Raises
    ------
    UpstreamError
        The gateway did not take it. The browser has been sent nothing.
    """
    exchange = await Exchange.begin(target, b"GET", path, headers)
    try:
        await exchange.finish()
        response = await exchange.head()
        if response.status_code != 101:
            raise Refused(response.status_code)
        upstream, early = exchange.switched()
        head = b"HTTP/1.1 101 Switching Protocols\r\n"
        for name, value in h.websocket_response(response.headers):
            head += name + b": " + value + b"\r\n"
        browser = detach()
        traffic.begun = time.monotonic()
        joined = asyncio.ensure_future(_join(browser, upstream, head + b"\r\n" + early, traffic))
        _open.add(joined)
        relayed.begin(traffic)
        joined.add_done_callback(lambda _: relayed.end(traffic))
        joined.add_done_callback(_open.discard)
        try:
            await joined
        except (UpstreamError, StreamClosedError, WireClosed) as e:
            log.info("a stream ended: %s", e)
    finally:
        exchange.close()


def count() -> int:
    """How many streams are open."""
    return len(_open)


async def all_ended(seconds: float) -> None:
    """Wait until no stream is open, for so long at most; then end them."""
    if _open:
        await asyncio.wait(set(_open), timeout=seconds)
    for task in list(_open):
        task.cancel()
    await asyncio.gather(*_open, return_exceptions=True)


async def _join(
    stream: IOStream, upstream: asyncio.Transport, head: bytes, traffic: Traffic
) -> None:
    """Give the browser's socket and the gateway's to a pipe, beginning with ``head``."""
    if isinstance(stream, SSLIOStream):  # TLS is tornado's: its stream has to stay
        await _join_tls(stream, upstream, head, traffic)
        return
    # Its descriptor is copied and tornado's own closed, which does not end the connection.
    browser = stream.socket.dup()
    stream.close()
    browser.setblocking(False)
    transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
        asyncio.Protocol, browser
    )
    transport.pause_reading()
    await over(traffic.by(Pipe(transport, upstream, to_first=head)))


async def _join_tls(
    stream: IOStream, upstream: asyncio.Transport, head: bytes, traffic: Traffic
) -> None:
    wire = Wire()
    wire.connection_made(upstream)
    upstream.set_protocol(wire)
    upstream.resume_reading()
    stream.set_nodelay(True)

    async def to_browser() -> None:
        await stream.write(head)
        while data := await wire.read():
            await stream.write(traffic.add("to_browser", data))

    async def to_gateway() -> None:
        while True:
            data = await stream.read_bytes(65536, partial=True)
            await wire.write(traffic.add("from_browser", data))

    tasks = [asyncio.ensure_future(to_browser()), asyncio.ensure_future(to_gateway())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        stream.close()
        wire.close()
