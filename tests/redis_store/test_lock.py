"""Locks among services: periodic work is done by one alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.store import lock as locks
from moonlight_spawner.store.redis import RedisStore

from tests.support.redis import RedisServer
from tests.support.waiting import wait_for

from .conftest import PREFIX, MakeStore
from .sessions import put

# A service: `store` is open, and `work` is what it does.
_PROGRAM = """
import asyncio, json, os, sys, time
from moonlight_spawner.store.lock import work_alone
from moonlight_spawner.store.redis import RedisStore
from moonlight_spawner.store.redis_client import RedisPlace

url, password, path = json.loads(sys.argv[1])
store = RedisStore(RedisPlace(url, password=password, seconds=5.0), "moonlight:", [b"k" * 32], 60)

def say(word):
    with open(path, "a") as file:
        file.write(f"{os.getpid()} {word}\\n")

{work}
"""

_ROUNDS = """
async def work():
    while True:
        if lock.held:
            say("round")
        await asyncio.sleep(0.01)

lock = store.lock("rounds", 3.0)
asyncio.run(work_alone(lock, work, 0.05))
"""


class Services:
    """Processes over one Redis; each word that they say is a line of one file."""

    def __init__(self, server: RedisServer, path: Path):
        self._server, self.path = server, path
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, work: str) -> subprocess.Popen[bytes]:
        given = json.dumps([self._server.url, self._server.password, str(self.path)])
        argv = [sys.executable, "-c", _PROGRAM.replace("{work}", work), given]
        self.processes.append(subprocess.Popen(argv, cwd=Path(__file__).parents[2]))
        return self.processes[-1]

    def said(self) -> list[tuple[int, str]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [(int(pid), word) for pid, word in (line.split() for line in lines)]

    def wait_for_work_of(self, pid: int) -> None:
        seen = len(self.said())
        wait_for(lambda: (pid, "round") in self.said()[seen:])


@pytest.fixture
def services(server: RedisServer, tmp_path: Path) -> Iterator[Services]:
    made = Services(server, tmp_path / "said")
    yield made
    for process in made.processes:
        process.kill()
        process.wait()


def test_a_service_that_is_killed_is_followed_by_another(services: Services) -> None:
    first = services.start(_ROUNDS)
    services.wait_for_work_of(first.pid)
    second = services.start(_ROUNDS)
    services.wait_for_work_of(first.pid)
    assert {pid for pid, _ in services.said()} == {first.pid}
    first.kill()
    services.wait_for_work_of(second.pid)


def test_one_that_stood_still_does_not_go_on(services: Services) -> None:
    first = services.start(_ROUNDS)
    services.wait_for_work_of(first.pid)
    first.send_signal(signal.SIGSTOP)
    second = services.start(_ROUNDS)
    services.wait_for_work_of(second.pid)
    begun = [pid for pid, _ in services.said()].index(second.pid)
    first.send_signal(signal.SIGCONT)
    for _ in range(5):
        services.wait_for_work_of(second.pid)
    assert {pid for pid, _ in services.said()[begun:]} == {second.pid}


def test_a_lock_is_given_back_at_once(store: RedisStore, server: RedisServer) -> None:
    one, other = store.lock("rounds", 1000.0), store.lock("rounds", 1000.0)

    async def work() -> None:
        working = asyncio.Event()

        async def until_cancelled() -> None:
            working.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(locks.work_alone(one, until_cancelled, 0.01))
        await working.wait()
        assert one.held and not other.take()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(work())
    assert not one.held and other.take()
    with server.client() as client:
        client.set(f"{PREFIX}rounds", "somebody else's")
        assert not other.renew() and not other.held
        other.give()
        assert client.get(f"{PREFIX}rounds") == b"somebody else's"


def test_work_that_fails_is_begun_again(store: RedisStore) -> None:
    async def main() -> None:
        tries = 0
        again = asyncio.Event()

        async def work() -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise RuntimeError("not this time")
            again.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(locks.work_alone(store.lock("rounds", 9.0), work, 0.01))
        await again.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_without_redis_a_lock_counts_until_its_time_is_over(
    server: RedisServer, make_store: MakeStore
) -> None:
    lock = make_store(server).lock("rounds", 0.5)
    assert lock.take()
    server.stop()
    try:
        assert lock.renew() and lock.held
        asyncio.run(lock.keep())  # it ends by itself
        assert not lock.held
        lock.give()
    finally:
        server.start()
    put(make_store(server))
