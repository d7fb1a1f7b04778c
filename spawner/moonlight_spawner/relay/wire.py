"""One end of a connection: read what came, write and wait, or hand the bare transport over."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import cast

READ_LIMIT = 256 * 1024
WRITE_LIMIT = 256 * 1024


class WireClosed(ConnectionError):
    """The other end went away."""


class Wire(asyncio.Protocol):
    """A byte stream with backpressure in both directions.

    Unlike :class:`asyncio.StreamReader` it can be detached: :meth:`detach` gives the transport
    and what was read but not used, so that a relay can take over after an HTTP upgrade.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._buffer = bytearray()
        self._eof = False
        self._lost: BaseException | None = None
        self._closed = False
        self._paused_reading = False
        self._reader: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._writable = True

    async def read(self) -> bytes:
        """What has arrived, at least one byte; ``b""`` at the end of the stream."""
        while not self._buffer and not self._eof:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = bytes(self._buffer)
        self._buffer.clear()
        self._go_on_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Send ``data`` and wait until the other end keeps up.

        Raises
        ------
        WireClosed
        """
        if self._closed:
            raise WireClosed("the connection is closed")
        self.transport.write(data)
        if not self._writable:
            self._drained = asyncio.get_running_loop().create_future()
            try:
                await self._drained
            finally:
                self._drained = None
        if self._closed:
            raise WireClosed("the connection was closed") from self._lost

    def detach(self) -> tuple[asyncio.Transport, bytes]:
        """The transport, still paused if it was, and the bytes that nobody has read."""
        self.transport.pause_reading()
        leftover = bytes(self._buffer)
        self._buffer.clear()
        return self.transport, leftover

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    @property
    def peer(self) -> str:
        """The peer's IP address; empty for a Unix socket."""
        name = self.transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) and name else ""

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=WRITE_LIMIT)
        set_nodelay(self.transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > READ_LIMIT and not self._paused_reading:
            self.transport.pause_reading()
            self._paused_reading = True
        self._wake_reader()

    def eof_received(self) -> bool:
        self._eof = True
        self._wake_reader()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._eof = self._closed = True
        self._lost = exc
        self._wake_reader()
        self._wake_writer()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._wake_writer()

    def _go_on_reading(self) -> None:
        if self._paused_reading and not self._closed:
            self._paused_reading = False
            self.transport.resume_reading()

    def _wake_reader(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)

    def _wake_writer(self) -> None:
        if self._drained and not self._drained.done():
            self._drained.set_result(None)


def set_nodelay(transport: asyncio.BaseTransport) -> None:
    """Send small messages at once: input events and video frames must not wait for an ACK.

    Half of the frames were lost to this in a real browser behind a proxy that did not set it.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
