"""SysV shared memory while a desktop is streamed: what another user of the node gets of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.users import TestUser, as_user, run_as
from tests.standins.sunshine_standin.capture import PICTURE
from tests.support.gateway import SessionGateway
from tests.support.waiting import wait_until

from .conftest import Launch
from .test_sunshine_encoders import site
from .test_sunshine_on_the_node import sunshine

APP = 958645192
# Attaches whatever appears of that user's, as fast as it can, and says what it read. `once`: what is
# there now, each with its mode and what came of it.
SPY = """
import ctypes, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
uid, once, seen = sys.argv[1], sys.argv[2] == "once", {}
print("ready", flush=True)
while True:
    with open("/proc/sysvipc/shm") as table:
        for line in table.readlines()[1:]:
            key, shmid, mode, *_ = words = line.split()
            if words[7] == uid and shmid not in seen:
                at = libc.shmat(int(shmid), None, 0o10000)
                seen[shmid] = at != ctypes.c_void_p(-1).value
                print(mode, ctypes.string_at(at, 21) if seen[shmid] else "refused", flush=True)
    if once:
        break
"""


def memory(user: TestUser) -> list[str]:
    """The user's segments, but those that go with their programs (SHM_DEST: the desktop's)."""
    rows = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[7] == str(user.uid) and not int(row[2], 8) & 0o1000]


@pytest.fixture
def spy(user: TestUser, stranger: TestUser) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", SPY, str(user.uid), "on"]
    program = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **as_user(stranger))
    assert program.stdout and program.stdout.readline() == "ready\n"
    yield program
    program.kill()
    program.wait()
    program.stdout.close()


def test_nobody_else_reads_the_screen_while_it_streams_nor_afterwards(
    launch: Launch, user: TestUser, stranger: TestUser, spy: subprocess.Popen[str]
) -> None:
    before = memory(user)
    session = launch(env=site(user))
    session.wait_running()
    gateway = SessionGateway.of(session.directory)
    looks: list[str] = []
    for _ in range(4):  # each stream makes a segment of its own
        pictures = gateway.pictures("/signaling", APP)
        next(pictures)
        argv = [sys.executable, "-c", SPY, str(user.uid), "once"]
        looks += run_as(stranger, argv, check=True).stdout.splitlines()[1:]
        pictures.close()
    assert len(looks) >= 4 and all(look.endswith("refused") for look in looks), looks
    assert all(int(look.split()[0], 8) & 0o077 == 0 for look in looks), looks
    spy.kill()
    assert spy.stdout
    said = spy.stdout.read()
    assert "refused" in said and str(PICTURE) not in said, said

    pictures = gateway.pictures("/signaling", APP)
    next(pictures)
    assert len(memory(user)) > len(before)
    os.kill(sunshine(session), signal.SIGKILL)
    assert wait_until(lambda: any("started again" in n for n in session.status.notes))
    pictures.close()
    assert wait_until(lambda: memory(user) == before), memory(user)

    pictures = gateway.pictures("/signaling", APP)
    next(pictures)
    session.agent.signal(signal.SIGKILL)  # and its children with it
    session.wait_exit()
    pictures.close()
    assert memory(user) == before
    session.assert_nothing_left()
