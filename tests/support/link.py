"""A line between two network name spaces that is slow and loses packets, and lets only some of them pass.

tc-netem(8) is not in every kernel, nor are filters; a TUN device at each end, and this program between
them, are in all. Both ends wait for it alike.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from moonlight_spawner.processes.kernel import die_with_parent

from tests.support.namespaces import NetworkNamespace, enter

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_MTU = 1500
_QUEUED = 2000  # packets on their way in one direction, as a router has room for
_UDP = 17


class Link:
    """The line; what it does to packets can be changed while it carries them."""

    def __init__(self, process: subprocess.Popen[bytes]):
        self._process = process

    def set(
        self, delay_ms: float = 0.0, loss: float = 0.0, udp: Sequence[int] | None = None
    ) -> None:
        """``delay_ms`` one way, ``loss`` of all packets from 0 to 1, and ``udp``: the ports from or to which
        UDP passes, None for all."""
        told = {"delay": delay_ms / 1e3, "loss": loss, "udp": None if udp is None else list(udp)}
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline(), "the line has ended"


@contextmanager
def link(one: NetworkNamespace, its: str, other: NetworkNamespace, theirs: str) -> Iterator[Link]:
    """From an address to the other; each name space has its way to anywhere by it."""
    words = [str(one.pid), its, theirs, str(other.pid), theirs, its]
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=die_with_parent,
    )
    try:
        assert process.stdout and process.stdout.readline(), "the line does not begin"
        yield Link(process)
    finally:
        process.kill()
        process.communicate()


def _end(pid: str, address: str, peer: str) -> int:
    """A TUN device in that name space."""
    enter(int(pid))
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", b"line", _IFF_TUN | _IFF_NO_PI))
    for words in (
        f"address add {address} peer {peer} dev line",
        f"link set line mtu {_MTU} txqueuelen {_QUEUED} up",
        f"route add default via {peer}",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    return tun


class _Line:
    def __init__(self, ends: tuple[int, int]):
        self._ends = ends
        self._delay, self._loss = 0.0, 0.0
        self._ports: set[int] | None = None
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self._chance = random.Random(7)

    def run(self) -> None:
        while True:
            until = self._waiting[0][0] - time.monotonic() if self._waiting else None
            come = select.select([*self._ends, 0], [], [], until and max(0.0, until))[0]
            if 0 in come and not self._hear():
                return
            for end in come:
                if end:
                    self._take(end)
            self._deliver()

    def _hear(self) -> bool:
        line = sys.stdin.readline()
        if not line:
            return False
        told = json.loads(line)
        self._delay, self._loss = told["delay"], told["loss"]
        self._ports = None if told["udp"] is None else set(told["udp"])
        print("done", flush=True)
        return True

    def _take(self, end: int) -> None:
        other = self._ends[1 - self._ends.index(end)]
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                packet = os.read(end, 1 << 16)
                if self._passes(packet) and len(self._waiting) < 2 * _QUEUED:
                    self._count += 1
                    due = time.monotonic() + self._delay
                    heapq.heappush(self._waiting, (due, self._count, other, packet))

    def _passes(self, packet: bytes) -> bool:
        if self._loss and self._chance.random() < self._loss:
            return False
        if packet[0] >> 4 != 4:  # it has no other addresses
            return False
        if packet[9] != _UDP or self._ports is None:
            return True
        at = 4 * (packet[0] & 0x0F)
        return not self._ports.isdisjoint(struct.unpack_from("!HH", packet, at))

    def _deliver(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            *_, end, packet = heapq.heappop(self._waiting)
            with contextlib.suppress(BlockingIOError):
                os.write(end, packet)


if __name__ == "__main__":
    words = sys.argv[1:]
    line = _Line((_end(*words[:3]), _end(*words[3:])))
    print("up", flush=True)
    line.run()
