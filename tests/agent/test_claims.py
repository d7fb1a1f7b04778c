"""Displays and ports are claimed on the node, by many at once, and never twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moonlight_spawner.agent.node.claims import (
    BASE_OFFSET,
    Claim,
    NothingFree,
    claim_display,
    claim_ports,
)
from moonlight_spawner.model.limits import PORT_BLOCK

from tests.support.waiting import PATIENCE, wait_for

from .sessions import Ranges

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["pytest", "moonlight_spawner.agent.node.claims"])

Claimed = tuple[Any, Any]  # numbers, or the texts of what was refused


def _hold(ranges: Ranges, start: Any, told: Any, leave: Any) -> None:
    """Claim at the word, tell what came of it, and hold it until the test ends."""
    start.wait()
    held, answer = [], []
    for claim, first, last in (
        (claim_display, ranges.display, ranges.display + ranges.displays - 1),
        (claim_ports, ranges.port, ranges.port + PORT_BLOCK * ranges.blocks - 1),
    ):
        try:
            held.append(claim(first, last))
            answer.append(held[-1].number)
        except NothingFree as e:
            answer.append(str(e))
    told.put((os.getpid(), *answer))
    leave.poll(None)  # until the other end is closed


Crowd = Callable[[Ranges, int], list[tuple[int, Any, Any]]]


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """Processes that claim at the same moment and hold what they got until the test's end."""
    leave, last_word = processes.Pipe(duplex=False)
    members = []

    def gather(ranges: Ranges, number: int) -> list[tuple[int, Any, Any]]:
        start, told = processes.Event(), processes.Queue()
        for _ in range(number):
            members.append(processes.Process(target=_hold, args=(ranges, start, told, leave)))
            members[-1].start()
        start.set()
        return [told.get(timeout=PATIENCE) for _ in range(number)]

    yield gather
    last_word.close()
    for member in members:
        member.join()
    leave.close()


def test_twenty_at_once_get_twenty_and_the_next_one_is_told(crowd: Crowd) -> None:
    ranges = Ranges(displays=20, blocks=20)
    told = crowd(ranges, 20)
    displays = [display for _, display, _ in told]
    ports = [port for _, _, port in told]
    assert sorted(displays) == list(range(ranges.display, ranges.display + 20))
    assert sorted(ports) == [ranges.port + BASE_OFFSET + PORT_BLOCK * n for n in range(20)]

    ((_, no_display, no_ports),) = crowd(ranges, 1)
    assert f"all of :{ranges.display} to :{ranges.display + 19} are taken" in no_display
    assert os.uname().nodename in no_display
    assert f"{ranges.port} to {ranges.port + 639} has room for 20 sessions" in no_ports
    assert "another node" in no_display and "another node" in no_ports


def test_more_than_there_is_room_for_share_what_there_is(crowd: Crowd) -> None:
    ranges = Ranges(displays=5, blocks=5)
    told = crowd(ranges, 12)
    for numbers in zip(*(answers[1:] for answers in told), strict=True):
        got = [n for n in numbers if isinstance(n, int)]
        assert len(got) == len(set(got)) == 5
        assert sum("are taken" in n for n in numbers if isinstance(n, str)) == 7


def test_a_claim_ends_with_its_holder_however_he_dies(crowd: Crowd) -> None:
    ranges = Ranges(displays=1, blocks=1)
    ((pid, display, port),) = crowd(ranges, 1)
    with pytest.raises(NothingFree):
        claim_display(display, display)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: can_be_claimed(claim_display, display, display))
    # Each ends by itself.
    block = ranges.port, ranges.port + PORT_BLOCK - 1
    wait_for(lambda: can_be_claimed(claim_ports, *block))
    again = claim_ports(*block)
    assert again.number == port
    again.release()


def can_be_claimed(claim: Callable[[int, int], Claim], first: int, last: int) -> bool:
    try:
        claim(first, last).release()
    except NothingFree:
        return False
    return True


def test_a_claim_is_not_held_by_what_the_holder_starts() -> None:
    number = Ranges().display
    claim = claim_display(number, number)
    with subprocess.Popen(["sleep", "600"], close_fds=False) as child:
        try:
            claim.release()
            claim_display(number, number).release()
        finally:
            child.kill()


@pytest.mark.parametrize(
    "kind, offset",
    [
        (socket.SOCK_STREAM, -5),
        (socket.SOCK_STREAM, 0),
        (socket.SOCK_STREAM, 1),
        (socket.SOCK_STREAM, 15),
        (socket.SOCK_STREAM, 21),
        (socket.SOCK_DGRAM, 9),
        (socket.SOCK_DGRAM, 10),
        (socket.SOCK_DGRAM, 11),
        (socket.SOCK_DGRAM, 22),
        (socket.SOCK_DGRAM, 26),
    ],
)
@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1"])
def test_a_block_with_a_foreign_port_is_passed_over(kind: int, offset: int, address: str) -> None:
    ranges = Ranges(blocks=2)
    base = ranges.port + BASE_OFFSET
    with socket.socket(socket.AF_INET, kind) as foreign:
        foreign.bind((address, base + offset))
        if kind == socket.SOCK_STREAM:
            foreign.listen()
        claim = claim_ports(ranges.port, ranges.port + 2 * PORT_BLOCK - 1)
        assert claim.number == base + PORT_BLOCK
        claim.release()
        with pytest.raises(NothingFree):
            claim_ports(ranges.port, ranges.port + PORT_BLOCK - 1)
    claim_ports(ranges.port, ranges.port + PORT_BLOCK - 1).release()


def test_a_block_that_nobody_will_bind_is_claimed_whatever_its_ports_are_used_for() -> None:
    ranges = Ranges(blocks=1)
    first, last = ranges.port, ranges.port + PORT_BLOCK - 1
    with socket.create_server(("127.0.0.1", first + BASE_OFFSET)):
        claim = claim_ports(first, last, bound=False)
        assert claim.number == first + BASE_OFFSET
        with pytest.raises(NothingFree, match="room for 1 sessions, and all of them are taken"):
            claim_ports(first, last, bound=False)
        claim.release()


def test_what_a_session_of_before_has_closed_takes_no_block() -> None:
    ranges = Ranges(blocks=1)
    first, last = ranges.port, ranges.port + PORT_BLOCK - 1
    for offset in (-5, 0, 1, 15, 21):  # as Sunshine and moonlight-web listen: with SO_REUSEADDR
        address = ("127.0.0.1", first + BASE_OFFSET + offset)
        with socket.create_server(address) as server, socket.create_connection(address) as client:
            taken, _ = server.accept()
            taken.close()  # the first to close keeps its port for a minute: TIME_WAIT
            client.recv(1)
    claim_ports(first, last).release()


def test_a_closed_connection_is_told_from_a_session() -> None:
    ranges = Ranges(blocks=2)
    first, last = ranges.port, ranges.port + 2 * PORT_BLOCK - 1
    session = claim_ports(first, first + PORT_BLOCK - 1)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.bind(("127.0.0.1", first + PORT_BLOCK + BASE_OFFSET))
        client.connect(server.getsockname())
        other, _ = server.accept()
        client.close()  # the first to close keeps its port for a minute
        other.close()
    with pytest.raises(NothingFree, match="1 of them are taken, and of the others each") as told:
        claim_ports(first, last)
    assert f"net.ipv4.ip_local_reserved_ports={first}-{last}" in str(told.value)
    session.release()


def test_a_foreign_port_between_sunshines_does_not_matter() -> None:
    ranges = Ranges(blocks=1)
    with socket.create_server(("127.0.0.1", ranges.port + BASE_OFFSET + 5)):
        claim_ports(ranges.port, ranges.port + PORT_BLOCK - 1).release()


@pytest.mark.parametrize("size, blocks", [(31, 0), (32, 1), (63, 1), (64, 2)])
def test_a_range_holds_as_many_blocks_as_fit(size: int, blocks: int) -> None:
    first = Ranges().port
    held = []
    for _ in range(blocks):
        held.append(claim_ports(first, first + size - 1))
    with pytest.raises(NothingFree, match=f"room for {blocks} sessions"):
        claim_ports(first, first + size - 1)
    assert all(first <= c.number - 5 and c.number + 26 < first + size for c in held)
    for claim in held:
        claim.release()


def test_all_ports_of_a_claimed_block_can_be_bound() -> None:
    ranges = Ranges(blocks=1)
    claim = claim_ports(ranges.port, ranges.port + PORT_BLOCK - 1)
    for offset in (-5, 0, 1, 15, 21):
        socket.create_server(("0.0.0.0", claim.number + offset)).close()
    claim.release()
