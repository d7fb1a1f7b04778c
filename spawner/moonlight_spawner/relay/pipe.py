"""Joins two transports: bytes that come in on one go out on the other, no more, no less."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from .wire import WRITE_LIMIT, close_in_time, set_nodelay

log = logging.getLogger(__name__)

#: Gets the bytes of one end as they pass; False: it has heard enough.
Heard = Callable[[bytes], bool]
#: Gets the bytes of one end and gives what of them goes on; raises what ends the relay.
Through = Callable[[bytes], bytes]

# As much as a loop reads at once; of what is not needed, nothing becomes resident.
_BUFFER_BYTES = 256 * 1024


class _Side(asyncio.BufferedProtocol):
    """One of two ends. A reader that stops reading pauses the other end: no memory is spent on it.

    What comes is read to the same place again and again, and sent from there: nothing is copied, and
    nothing allocated, as long as the other end takes all of it at once.
    """

    other: _Side
    pipe: Pipe

    def __init__(self, transport: asyncio.Transport):
        self.transport = transport
        self.bytes = 0  # that were read here, and are the other's
        self.lost = False
        self.full = False
        self.heard: Heard | None = None
        self.through: Through | None = None
        self._patience: asyncio.TimerHandle | None = None

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.pipe.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.bytes += nbytes
        if self.heard and not self.heard(bytes(self.pipe.buffer[:nbytes])):
            self.heard = None
        writer = self.other.transport
        if self.through:
            self.let_through(bytes(self.pipe.buffer[:nbytes]))
            return
        writer.write(self.pipe.buffer[:nbytes])
        if writer.get_write_buffer_size():  # the rest of it is the transport's now
            self.pipe.buffer = memoryview(bytearray(_BUFFER_BYTES))

    def let_through(self, data: bytes) -> None:
        """Pass on what of these bytes may go on."""
        assert self.through
        try:
            passed = self.through(data)
        except Exception as e:
            log.info("a relay ends: %s", e)
            for one in (self, self.other):
                if not one.lost:
                    one.transport.abort()
            return
        if passed and not self.other.lost:
            self.other.transport.write(passed)

    def eof_received(self) -> bool:
        self.other.finish()
        # Not left to the transport: it would wait without end for a peer that does not read either.
        self.finish()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._patience:
            self._patience.cancel()
        self.other.finish()
        self.pipe.side_lost()

    def pause_writing(self) -> None:
        self.full = True
        if not self.other.lost:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.full = False
        if not self.other.lost:
            self.other.transport.resume_reading()

    def finish(self) -> None:
        """Send what is buffered, then close; give up on a peer that does not take it."""
        if not self.lost and not self.transport.is_closing():
            self._patience = close_in_time(self.transport)


class Pipe:
    """A running relay between two transports.

    Parameters
    ----------
    first, second
        Connected transports whose reading is paused.
    to_second, to_first
        Bytes that were read from one end before the relay began and belong to the other.
    heard
        Gets what comes from the second end, until it wants no more.
    through
        What comes from the first end goes by it.
    """

    def __init__(
        self,
        first: asyncio.Transport,
        second: asyncio.Transport,
        to_second: bytes = b"",
        to_first: bytes = b"",
        heard: Heard | None = None,
        through: Through | None = None,
    ):
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._sides = a, b = _Side(first), _Side(second)
        a.other, b.other = b, a
        a.pipe = b.pipe = self
        b.heard = heard if heard and heard(to_first) else None
        a.through = through
        for side, early in ((a, to_first), (b, to_second)):
            if side.transport.is_closing():  # uvloop lets nothing be done to one that has closed
                continue
            set_nodelay(side.transport)
            side.transport.set_write_buffer_limits(high=WRITE_LIMIT)
            side.transport.set_protocol(side)
            if early and side is b and through:
                a.let_through(early)
            elif early:
                side.transport.write(early)
        for side in (a, b):
            if side.transport.is_closing():  # lost before this relay became its protocol
                side.connection_lost(None)
            elif not side.other.full:  # the early bytes alone may be more than it takes now
                with contextlib.suppress(RuntimeError):  # it was not paused
                    side.transport.resume_reading()

    @property
    def bytes(self) -> int:
        """What has passed, both ways."""
        return self.to_first + self.to_second

    @property
    def to_second(self) -> int:
        """Bytes that the first end has sent since the relay began."""
        return self._sides[0].bytes

    @property
    def to_first(self) -> int:
        return self._sides[1].bytes

    def side_lost(self) -> None:
        if all(side.lost for side in self._sides) and not self.done.done():
            self.done.set_result(None)

    def close(self) -> None:
        for side in self._sides:
            side.finish()


async def join(
    first: asyncio.Transport,
    second: asyncio.Transport,
    to_second: bytes = b"",
    to_first: bytes = b"",
    heard: Heard | None = None,
    through: Through | None = None,
) -> int:
    """Relay until both ends are closed; gives the number of bytes that passed."""
    pipe = Pipe(first, second, to_second, to_first, heard, through)
    await over(pipe)
    return pipe.bytes


async def over(pipe: Pipe) -> None:
    """Wait until both ends are closed; who is cancelled closes them."""
    try:
        await asyncio.shield(pipe.done)
    except asyncio.CancelledError:
        pipe.close()
        raise
