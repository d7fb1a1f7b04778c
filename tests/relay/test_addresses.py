"""A node announces several addresses, and some of them do not answer from where the portal is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from moonlight_spawner.relay import addresses
from moonlight_spawner.relay.addresses import race
from moonlight_spawner.relay.upstream import Target, UpstreamError, call, connect

from tests.support.waiting import PATIENCE

from .gateway_process import RunningGateway, running_gateway


def run(work: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), PATIENCE))


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    addresses._answered.clear()
    yield
    addresses._answered.clear()


@contextlib.contextmanager
def silent(address: str, port: int) -> Iterator[None]:
    """An address that takes no connection and says nothing: its queue of those to accept is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect((address, port))
        yield


class Door:
    """A connection, or what stands for one, that remembers how it ended."""

    def __init__(self, address: str):
        self.address = address
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


class Peer:
    """Opens doors: at once, never, or not at all, as each address is told to."""

    def __init__(self, **behaviour: str):
        self.behaviour = behaviour
        self.asked: list[str] = []

    async def open(self, address: str) -> Door:
        self.asked.append(address)
        if self.behaviour[address] == "silent":
            await asyncio.Event().wait()
        if self.behaviour[address] == "refuses":
            raise ConnectionRefusedError(f"{address} refuses")
        return Door(address)

    async def race(self) -> str:
        return (await race(list(self.behaviour), 1, self.open)).address


def test_a_silent_address_is_passed_over_and_not_asked_first_again() -> None:
    async def work() -> None:
        peer = Peer(a="silent", b="answers", c="answers")
        assert await peer.race() == "b"
        assert peer.asked == ["a", "b"]
        for _ in range(3):
            peer.asked.clear()
            assert await peer.race() == "b"
            assert peer.asked == ["b"]

    run(work)


def test_a_refusal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "HEAD_START_SECONDS", PATIENCE * 2)

    async def work() -> None:
        assert await Peer(a="refuses", b="answers").race() == "b"

    run(work)


@pytest.mark.parametrize("change", ["silent", "refuses"])
def test_one_that_stops_to_answer_is_replaced(change: str) -> None:
    async def work() -> None:
        peer = Peer(a="answers", b="answers")
        assert await peer.race() == "a"
        peer.behaviour["a"] = change
        assert await peer.race() == "b"
        peer.asked.clear()
        assert await peer.race() == "b"
        assert peer.asked == ["b"]

    run(work)


def test_what_is_told_of_several_failures_is_that_of_the_best() -> None:
    async def work() -> None:
        with pytest.raises(ConnectionRefusedError, match="a refuses"):
            await Peer(a="refuses", b="refuses").race()

    run(work)


def test_whoever_gives_up_leaves_no_connection() -> None:
    async def work() -> None:
        doors: list[Door] = []
        asked: list[str] = []

        async def slow(address: str) -> Door:
            asked.append(address)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:  # it comes in the very moment in which it is given up
                doors.append(Door(address))
            return doors[-1]

        racing = asyncio.ensure_future(race(["a", "b"], 1, slow))
        while len(asked) < 2:
            await asyncio.sleep(0.01)
        racing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await racing
        await asyncio.sleep(0)
        assert len(doors) == 2 and all(door.aborted for door in doors)

    run(work)


def test_the_gateway_is_reached_behind_a_network_that_drops_what_comes(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moonlight_spawner.relay.upstream.CONNECT_SECONDS", PATIENCE * 2)
    there = Target(
        addresses=("127.0.0.77", "127.0.0.1"),
        port=gateway.port,
        certificate=gateway.certificate,
    )

    async def work() -> None:
        (await connect(there)).close()
        assert addresses._answered == {(there.addresses, there.port): "127.0.0.1"}

    with silent("127.0.0.77", gateway.port):
        run(work)


@pytest.mark.parametrize(
    ("bound", "reached"),
    [("::1", ["::1"]), ("::", ["::1", "127.0.0.1"]), ("0.0.0.0", ["127.0.0.1"])],
)
def test_a_gateway_is_reached_by_ipv6_and_by_both(bound: str, reached: list[str]) -> None:
    with running_gateway(address=bound) as gateway:

        async def work() -> None:
            for address in reached:
                there = Target(
                    addresses=(address,), port=gateway.port, certificate=gateway.certificate
                )
                assert (await call(there, "GET", "/healthz", []))[0] == 401
            assert f"[::1]:{gateway.port}" in str(Target(addresses=("::1",), port=gateway.port))

        run(work)


def test_where_somebody_else_sends_us_is_not_this_very_machine(gateway: RunningGateway) -> None:
    """By whatever name: what listens there is not for the users of a portal."""
    own = [name for name in ("localhost", socket.gethostname()) if _leads_here(name)]
    assert "localhost" in own

    async def work() -> None:
        for host in (*own, "127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1"):
            there = Target(
                addresses=(host,), port=gateway.port, certificate=gateway.certificate, away=True
            )
            with pytest.raises(UpstreamError, match="this very machine"):
                await connect(there)
        there = replace(there, addresses=("localhost",), away=False)
        (await connect(there)).close()

    run(work)


def _leads_here(name: str) -> bool:
    with contextlib.suppress(OSError):
        return socket.gethostbyname(name).startswith("127.")
    return False


# The resolver asks a name server that says nothing.
_SLOW_NAMES = """
import asyncio, os, pwd, socket, subprocess, sys
from pathlib import Path
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.7", 53))
Path(sys.argv[1]).write_text("nameserver 127.0.0.7\\noptions timeout:30 attempts:5\\n")
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
from moonlight_spawner.relay import upstream
from moonlight_spawner.relay.upstream import Target, UpstreamError, connect
upstream.CONNECT_SECONDS = 600

async def asked():
    silent_names = [f"n{n}.mallory.example" for n in range(100)]
    there = [asyncio.ensure_future(connect(Target(addresses=(name,), port=1))) for name in silent_names]
    while sum(one.done() for one in there) < 36:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(pwd.getpwnam, "root")
    waiting = sum(not one.done() for one in there)
    for one in there:
        one.cancel()
    failed = await asyncio.gather(*there, return_exceptions=True)
    return waiting, sum(isinstance(one, UpstreamError) for one in failed)

print(*asyncio.run(asked()), flush=True)
os._exit(0)
"""


def test_names_that_nobody_answers_for_hold_up_nothing_else(tmp_path: Path) -> None:
    """Not the threads in which accounts are looked up and Redis is asked."""
    argv = ["unshare", "--mount", "--net", sys.executable, "-c"]
    setup = 'import subprocess; subprocess.run(["ip", "link", "set", "lo", "up"], check=True)\n'
    done = subprocess.run(
        [*argv, setup + _SLOW_NAMES, str(tmp_path / "resolv.conf")],
        **{"capture_output": True, "text": True, "timeout": PATIENCE, "check": False},
    )
    assert done.returncode == 0, done.stderr
    waiting, refused = map(int, done.stdout.split())
    assert 0 < waiting <= 64 and waiting + refused == 100


# A machine of its own: what its interfaces are called and have is told in the test.
_IN_A_NETWORK = """
import json, subprocess, sys
for words in sys.argv[1].split(";"):
    subprocess.run(["ip", *words.split()], check=True)
from moonlight_spawner.agent.node.addresses import NoSuchAddress, listen_and_announce, native_address
def told(setting):
    try:
        address, hosts = listen_and_announce(setting)
        return [address, hosts[1:] if address in ("0.0.0.0", "::") else hosts]
    except NoSuchAddress as e:
        return str(e)
print(json.dumps([told(s) for s in sys.argv[2:]] + [native_address("::")]))
"""


def test_what_a_node_announces_of_each_version_of_ip() -> None:
    network = (
        "link set lo up;addr add 10.1.2.3/16 dev lo;-6 addr add fd00:6868::1/64 dev lo nodad;"
        "addr add 169.254.9.9/16 dev lo;-6 addr add fe80::9/64 dev lo nodad"
    )
    settings = ["fd00:6868::/64", "10.1.0.0/16", "::", "0.0.0.0", "fd00:1::/64", "fd00:6868::1"]
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", _IN_A_NETWORK, network, *settings],
        check=True,
        capture_output=True,
        text=True,
    )
    *told, native = json.loads(done.stdout)
    v4, v6 = ["10.1.2.3", "127.0.0.1"], ["fd00:6868::1", "::1"]
    assert told[0] == ["fd00:6868::1", ["fd00:6868::1"]]
    assert told[1] == ["10.1.2.3", ["10.1.2.3"]]
    assert told[2] == ["::", [*v4, *v6]]  # without the link's own address, which means nothing
    assert told[3] == ["0.0.0.0", v4]
    assert "of IPv6 it has fd00:6868::1, ::1" in told[4]
    assert told[5] == ["fd00:6868::1", ["fd00:6868::1"]]
    assert native == "10.1.2.3"
