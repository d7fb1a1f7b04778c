"""One end of a connection: read what came, write and wait, or hand the bare transport over."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import cast

READ_LIMIT = 256 * 1024
WRITE_LIMIT = 256 * 1024

# How long a closed connection waits for a peer to take the last bytes, and in TLS to agree to the end.
_LINGER_SECONDS = 10.0

_CREDENTIALS = struct.Struct("iII")  # pid, uid, gid: unix(7), SO_PEERCRED


class WireClosed(ConnectionError):
    """The other end went away."""


class Wire(asyncio.Protocol):
    """A byte stream with backpressure in both directions.

    Unlike :class:`asyncio.StreamReader` it can be detached: :meth:`detach` gives the transport
    and what was read but not used, so that a relay can take over after an HTTP upgrade.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.peer = ""  #: the peer's IP address; empty for a Unix socket
        self._parts: list[bytes] = []  # what came and nobody has read, and its size
        self._held = 0
        self._eof = False
        self._lost: BaseException | None = None
        self._closed = False
        self._paused_reading = False
        self._reader: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._writable = True
        self._patience: asyncio.TimerHandle | None = None

    async def read(self) -> bytes:
        """What has arrived, at least one byte; ``b""`` at the end of the stream."""
        while not self._parts and not self._eof:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = self._take()
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
        return self.transport, self._take()

    def close(self) -> None:
        """Send what is buffered, then close. Not again what has closed, or is another's to close."""
        if self.transport is not None and not self.transport.is_closing():
            self._patience = close_in_time(self.transport)

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        # Now: uvloop asks the socket, which may be gone later.
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if isinstance(name, tuple) and name else ""
        self.transport.set_write_buffer_limits(high=WRITE_LIMIT)
        set_nodelay(self.transport)

    def data_received(self, data: bytes) -> None:
        self._parts.append(data)
        self._held += len(data)
        if self._held > READ_LIMIT and not self._paused_reading:
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
        if self._patience:
            self._patience.cancel()
        self._wake_reader()
        self._wake_writer()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._wake_writer()

    def _take(self) -> bytes:
        data = b"".join(self._parts)  # one part is not copied
        self._parts.clear()
        self._held = 0
        return data

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


def close_in_time(transport: asyncio.Transport) -> asyncio.TimerHandle:
    """Send what is buffered, then close; give up on a peer that does not take it, or says in TLS that it
    has more to say. Gives what is to be cancelled when the connection is lost.

    A transport by itself waits without end, and that of TLS half a minute, in which a peer that goes on
    sending has its connection.
    """
    transport.close()
    return asyncio.get_running_loop().call_later(_LINGER_SECONDS, transport.abort)


def peer_uid(connection: socket.socket) -> int:
    """Whose the process at the other end of a Unix socket is: who listened there, or who came."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(told)
    return int(uid)


def set_nodelay(transport: asyncio.BaseTransport) -> None:
    """Send small messages at once: input events and video frames must not wait for an ACK.

    Half of the frames were lost to this in a real browser behind a proxy that did not set it.
    """
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
