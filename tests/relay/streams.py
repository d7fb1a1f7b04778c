"""Endless bytes that can be checked on the way, without keeping them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.waiting import PATIENCE, STILL

# A length that is no multiple of any buffer's: a byte lost or doubled shifts all that follow.
_PATTERN = random.Random(1).randbytes(1_000_003)
_TWICE = _PATTERN * 2
CHUNK = 512 * 1024


def pattern(size: int, start: int = 0) -> Iterator[bytes]:
    """``size`` bytes in chunks, from that place on."""
    end = start + size
    while start < end:
        place = start % len(_PATTERN)
        chunk = _TWICE[place : place + min(CHUNK, end - start)]
        yield chunk
        start += len(chunk)


class Check:
    """Takes bytes and notices the first that is not the pattern's."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            start = self.size % len(_PATTERN)
            part = data[position : position + CHUNK]
            assert part == _TWICE[start : start + len(part)], f"wrong after {self.size} bytes"
            self.size += len(part)
            position += len(part)


def send(
    connection: socket.socket, size: int, sent: list[int] | None = None, start: int = 0
) -> None:
    """Send that much of the pattern; ``sent[0]`` tells how far it is."""
    for chunk in pattern(size, start):
        connection.sendall(chunk)
        if sent is not None:
            sent[0] += len(chunk)


def receive(connection: socket.socket, size: int, first: bytes = b"") -> None:
    """Read and check that much."""
    check = Check()
    check.take(first)
    buffer = bytearray(CHUNK)
    while check.size < size:
        count = connection.recv_into(buffer, min(len(buffer), size - check.size))
        if not count:
            raise ConnectionError(f"the connection ended after {check.size} bytes")
        check.take(buffer[:count])


class Worker(threading.Thread):
    """A thread whose failure is the test's."""

    def __init__(self, target, *args):  # type: ignore[no-untyped-def]
        super().__init__(daemon=True)
        self._work, self._with = target, args
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._work(*self._with)
        except BaseException as e:
            self.error = e

    def finish(self, timeout: float = PATIENCE) -> None:
        self.join(timeout)
        assert not self.is_alive(), "it still works"
        if self.error:
            raise self.error


def wait_until_still(progress: list[int], seconds: float = STILL) -> int:
    """Wait until ``progress[0]`` has not changed for a while."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < seconds:
        if progress[0] != last:
            last, since = progress[0], time.monotonic()
        time.sleep(0.05)
    return last


def tcp_connections(pid: int) -> list[socket.socket]:
    """Duplicates of all connected TCP sockets of a process (pidfd_getfd(2)), to look at."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    found = []
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"):
                    continue
            except FileNotFoundError:
                continue  # closed meanwhile
            fd = libc.syscall(438, pidfd, int(name), 0)
            if fd < 0:
                assert ctypes.get_errno() == errno.EBADF, os.strerror(ctypes.get_errno())
                continue
            connection = socket.socket(fileno=fd)
            try:
                connection.getpeername()
                is_tcp = connection.family == socket.AF_INET
            except OSError:
                is_tcp = False
            if is_tcp:
                found.append(connection)
            else:
                connection.close()
    finally:
        os.close(pidfd)
    return found


def open_sockets(pid: int) -> int:
    """Of all that is open only what connections are: a loop has files of its own, and opens them when it
    first needs them."""
    count = 0
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += os.readlink(fd).startswith("socket:")
    return count
