"""A pipe between two transports: backpressure from the first byte, and an end for every end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from moonlight_spawner.relay.pipe import Pipe, join
from moonlight_spawner.relay.wire import Wire, WireClosed

from tests.support.waiting import PATIENCE

from .streams import pattern

pytestmark = pytest.mark.usefixtures("each_loop")

Ends = tuple[asyncio.Transport, asyncio.Transport, socket.socket, socket.socket]


@contextlib.asynccontextmanager
async def ends() -> AsyncIterator[Ends]:
    """Two paused transports, and the far end of each, non-blocking."""
    transports, peers = [], []
    for _ in range(2):
        near, far = socket.socketpair()
        far.setblocking(False)
        _, wire = await asyncio.get_running_loop().create_connection(Wire, sock=near)
        wire.transport.pause_reading()
        transports.append(wire.transport)
        peers.append(far)
    try:
        yield transports[0], transports[1], peers[0], peers[1]
    finally:
        for transport in transports:
            with contextlib.suppress(AttributeError):  # asyncio's own, for one that has closed
                transport.abort()
        for peer in peers:
            peer.close()
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(poll(), PATIENCE)


async def push(peer: socket.socket, limit: int) -> int:
    """Send until the other side takes no more for half a second; gives how much went."""
    sent, block = 0, b"x" * 65536
    while sent < limit:
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(peer, block), 0.5)
        except asyncio.TimeoutError:
            break
        sent += len(block)
    return sent


async def drain(peer: socket.socket) -> bytes:
    """Read to the end."""
    data = bytearray()
    while part := await asyncio.get_running_loop().sock_recv(peer, 2**20):
        data += part
    return bytes(data)


def test_bytes_that_came_before_the_pipe_go_first() -> None:
    async def run() -> None:
        async with ends() as (first, second, browser, host):
            pipe = Pipe(first, second, to_second=b"early up ", to_first=b"early down ")
            browser.sendall(b"up")
            host.sendall(b"down")
            await until(lambda: pipe.bytes == len(b"up") + len(b"down"))
            pipe.close()
            assert await drain(browser) == b"early down down"
            assert await drain(host) == b"early up up"
            await asyncio.wait_for(pipe.done, PATIENCE)
            assert pipe.bytes == len(b"up") + len(b"down")

    asyncio.run(run())


def test_a_reader_that_does_not_read_holds_the_writer_back() -> None:
    async def run() -> None:
        async with ends() as (first, second, browser, host):
            pipe = Pipe(first, second)
            assert await push(host, 50 * 2**20) < 5 * 2**20
            assert first.get_write_buffer_size() < 2 * 2**20
            await push(browser, 1)  # the other way is still open
            assert await asyncio.get_running_loop().sock_recv(host, 2000) == b"x" * 2000
            pipe.close()

    asyncio.run(run())


def test_nothing_is_allocated_for_a_reader_who_keeps_up() -> None:
    async def run() -> None:
        async with ends() as (first, second, browser, host):
            pipe = Pipe(first, second)
            place = pipe.buffer
            for _ in range(50):
                host.sendall(b"x" * 65536)
                got = 0
                while got < 65536:
                    got += len(await asyncio.get_running_loop().sock_recv(browser, 65536))
            assert pipe.buffer is place
            while pipe.buffer is place:  # he stops: what he has not taken stays where it is
                await push(host, 65536)
            pipe.close()

    asyncio.run(run())


def test_what_a_slow_reader_gets_is_what_was_sent() -> None:
    """It is read and sent in the same place, and what he has not taken yet must not be overwritten."""

    async def run() -> None:
        async with ends() as (first, second, browser, host):
            Pipe(first, second)
            sent = b"".join(pattern(20 * 2**20))
            sending = asyncio.ensure_future(asyncio.get_running_loop().sock_sendall(host, sent))
            got = bytearray()
            while len(got) < len(sent):
                part = await asyncio.get_running_loop().sock_recv(browser, 30_011)
                assert part
                got += part
                if len(got) % 7 == 0:
                    await asyncio.sleep(0.001)
            await sending
            assert got == sent

    asyncio.run(run())


def test_it_holds_back_from_the_start_when_much_came_early() -> None:
    async def run() -> None:
        async with ends() as (first, second, browser, host):
            early = b"e" * (2 * 2**20)
            Pipe(first, second, to_first=early)
            pushed = await push(host, 50 * 2**20)
            assert pushed < 5 * 2**20
            assert first.get_write_buffer_size() < len(early) + 2 * 2**20
            host.close()
            arrived = await drain(browser)
            # What the timeout of the last push cut off went in part.
            assert len(early) + pushed <= len(arrived) < len(early) + pushed + 65536

    asyncio.run(run())


def test_an_end_that_was_gone_before_ends_the_other_after_its_last_words() -> None:
    async def run() -> None:
        async with ends() as (first, second, browser, _):
            second.abort()
            pipe = Pipe(first, second, to_first=b"last words")
            assert await drain(browser) == b"last words"
            await asyncio.wait_for(pipe.done, PATIENCE)

    asyncio.run(run())


def test_both_ends_gone_before_is_no_wait_for_ever() -> None:
    async def run() -> None:
        async with ends() as (first, second, _, _):
            first.abort()
            second.abort()
            await asyncio.sleep(0.05)
            assert await asyncio.wait_for(join(first, second), PATIENCE) == 0

    asyncio.run(run())


def test_a_relay_that_is_cancelled_closes_both_ends() -> None:
    async def run() -> None:
        async with ends() as (first, second, browser, host):
            task = asyncio.ensure_future(join(first, second, to_first=b"a", to_second=b"b"))
            await asyncio.sleep(0.05)
            task.cancel()
            assert (await drain(browser), await drain(host)) == (b"a", b"b")
            await asyncio.wait({task}, timeout=PATIENCE)
            assert task.cancelled()

    asyncio.run(run())


def test_patience_ends_with_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that took its last bytes in time is not cut off later, when nothing is left of it."""
    monkeypatch.setattr("moonlight_spawner.relay.wire._LINGER_SECONDS", 0.2)
    trouble: list[dict[str, object]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, told: trouble.append(told))
        async with ends() as (first, second, browser, host):
            pipe = Pipe(first, second)
            await push(host, 2 * 2**20)
            host.close()
            await drain(browser)
            await asyncio.wait_for(pipe.done, PATIENCE)
            await asyncio.sleep(0.5)

    asyncio.run(run())
    assert trouble == []


class TestWire:
    def test_a_reader_that_is_not_asked_takes_little(self) -> None:
        async def run() -> None:
            near, far = socket.socketpair()
            far.setblocking(False)
            _, wire = await asyncio.get_running_loop().create_connection(Wire, sock=near)
            pushed = await push(far, 50 * 2**20)
            assert pushed < 5 * 2**20
            far.close()
            data = bytearray()
            while part := await asyncio.wait_for(wire.read(), PATIENCE):
                data += part
            assert pushed <= len(data) < pushed + 65536 and set(data) == set(b"x")
            wire.close()

        asyncio.run(run())

    def test_a_write_waits_for_a_slow_reader_and_fails_when_he_leaves(self) -> None:
        async def run() -> None:
            near, far = socket.socketpair()
            far.setblocking(False)
            _, wire = await asyncio.get_running_loop().create_connection(Wire, sock=near)
            writing = asyncio.ensure_future(wire.write(b"x" * 2**22))
            await asyncio.sleep(0.1)
            assert not writing.done()
            assert await asyncio.get_running_loop().sock_recv(far, 10) == b"x" * 10
            far.close()
            done, _ = await asyncio.wait({writing}, timeout=PATIENCE)
            assert done and isinstance(writing.exception(), WireClosed)
            try:
                await wire.write(b"more")
            except WireClosed:
                return
            raise AssertionError("a closed wire took a write")

        asyncio.run(run())

    def test_what_was_read_and_not_used_is_handed_over(self) -> None:
        async def run() -> None:
            near, far = socket.socketpair()
            _, wire = await asyncio.get_running_loop().create_connection(Wire, sock=near)
            far.sendall(b"unused")
            await until(lambda: wire._held == len(b"unused"))
            transport, leftover = wire.detach()
            far.sendall(b"later")
            await asyncio.sleep(0.05)
            assert leftover == b"unused"
            transport.set_protocol(Wire())
            second = transport.get_protocol()
            assert isinstance(second, Wire)
            second.connection_made(transport)
            transport.resume_reading()
            assert await asyncio.wait_for(second.read(), PATIENCE) == b"later"
            transport.abort()
            far.close()

        asyncio.run(run())
