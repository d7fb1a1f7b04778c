"""SysV shared memory of the session's programs: private, at once or within a moment, and cleared."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent.node.memory import Segment, SharedMemory, remove_left, segments
from moonlight_spawner.processes import private_segments
from moonlight_spawner.processes.child import Child

# Makes a segment with the mode that it is told, says so, and lives until it is told more or killed.
MAKER = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
mode = int(sys.argv[1], 8)
key = int(sys.argv[2]) if len(sys.argv) > 2 else 0
print(libc.shmget(key, ctypes.c_size_t(8192), 0o1000 | mode), ctypes.get_errno(), flush=True)
sys.stdin.read() if len(sys.argv) < 4 else __import__("time").sleep(1e6)
"""


# Of the tests alone: others of this user, desktops among them, make segments at the same time.
_made: set[int] = set()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[SharedMemory]:
    _made.clear()
    yield SharedMemory(tmp_path, os.getpid())
    assert not _made & {s.id for s in segments()}, "a test left shared memory"


def there(segment: int) -> Segment | None:
    return next((s for s in segments() if s.id == segment), None)


def mode(segment: int) -> int:
    found = there(segment)
    assert found
    return found.mode


def maker(wanted: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAKER, wanted],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def made(program: subprocess.Popen[str]) -> int:
    assert program.stdout
    segment = int(program.stdout.readline().split()[0])
    _made.add(segment)
    return segment


@pytest.mark.parametrize("open_mode", ["777", "666", "640", "604", "1777"])
def test_what_a_program_of_the_session_makes_is_closed_at_the_next_look(
    memory: SharedMemory, open_mode: str
) -> None:
    with maker(open_mode) as program:
        segment = made(program)
        assert mode(segment) & 0o077
        memory.look()
        assert mode(segment) == 0o600
        program.kill()
    memory.remove_of(program.pid)
    assert there(segment) is None


def test_the_users_other_programs_keep_theirs(tmp_path: Path) -> None:
    with maker("666") as other, maker("666") as program:
        theirs, ours = made(other), made(program)
        memory = SharedMemory(tmp_path, program.pid)
        memory.look()
        assert (mode(theirs), mode(ours)) == (0o666, 0o600)
        other.kill()
        program.kill()
        other.wait()
        program.wait()
        memory.remove_of(program.pid)
        remove_left(tmp_path)
        assert there(theirs) and there(ours) is None
        remove_left(tmp_path, agent=other.pid)
    assert there(theirs) is None


def test_what_is_in_use_or_whose_maker_lives_is_not_removed(
    memory: SharedMemory, tmp_path: Path
) -> None:
    with maker("777") as program:
        segment = made(program)
        memory.look()
        memory.remove_of(program.pid)
        remove_left(tmp_path)
        assert there(segment)
        program.kill()
        program.wait()
        remove_left(tmp_path)
    assert there(segment) is None


def test_it_watches_from_beginning_to_stop(memory: SharedMemory) -> None:
    async def watch() -> int:
        memory.begin()
        program = await asyncio.to_thread(maker, "777")
        segment = await asyncio.to_thread(made, program)
        while mode(segment) != 0o600:
            await asyncio.sleep(0.01)
        memory.stop()
        program.kill()
        await asyncio.to_thread(program.communicate)
        memory.remove_of(program.pid)
        return segment

    assert there(asyncio.run(watch())) is None


def child(tmp_path: Path, memory: SharedMemory, *words: str) -> Child:
    argv = [sys.executable, "-c", MAKER, *words]
    return Child("test", argv, dict(os.environ), tmp_path / "log", made=memory.made)


async def said(program: Child) -> tuple[int, int]:
    await program.start()
    while not (words := program.log.read_text().split()):
        await asyncio.sleep(0.01)
    return int(words[0]), int(words[1])


def test_a_guarded_programs_memory_was_never_open(memory: SharedMemory, tmp_path: Path) -> None:
    assert private_segments.supported(), "the kernel of this machine cannot do it"

    async def run() -> None:
        program = child(tmp_path, memory, "777", "0", "stay")
        segment, _ = await said(program)
        found = there(segment)
        # The maker is the agent: no look of ours was needed.
        assert found and (found.mode, found.maker) == (0o700, os.getpid())
        await program.stop(0.1)
        memory.remove_of(program.pid)
        assert there(segment) is None

    asyncio.run(run())


def test_a_guarded_program_hears_the_kernels_own_errors(
    memory: SharedMemory, tmp_path: Path
) -> None:
    """A key that is taken, with IPC_EXCL: EEXIST (17), and the program goes on."""
    key = 0x4D4C0000 | os.getpid() & 0xFFFF

    async def run() -> None:
        first = child(tmp_path, memory, "777", str(key), "stay")
        segment, error = await said(first)
        assert (segment >= 0, error) == (True, 0)
        first.log.unlink()
        second = child(tmp_path, memory, "2777", str(key), "stay")
        assert await said(second) == (-1, 17)
        await first.stop(0.1)
        await second.stop(0.1)
        memory.remove_of(first.pid)
        assert there(segment) is None

    asyncio.run(run())


def test_a_node_that_cannot_guard_starts_the_program_all_the_same(
    memory: SharedMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "m68k")
    assert not private_segments.supported()

    async def run() -> None:
        program = child(tmp_path, memory, "777", "0", "stay")
        segment, _ = await said(program)
        assert mode(segment) == 0o777
        memory.look()
        assert mode(segment) == 0o600
        await program.stop(0.1)
        memory.remove_of(program.pid)
        assert there(segment) is None

    asyncio.run(run())


def test_after_a_kill_of_everything_the_next_session_clears_it(tmp_path: Path) -> None:
    """The record lies in the runtime directory, whole lines and perhaps half of one."""
    with maker("777") as program:
        segment = made(program)
        SharedMemory(tmp_path, program.pid).look()
        program.kill()
    with open(tmp_path / "segments", "a") as record:
        record.write("12")
    remove_left(tmp_path)
    assert there(segment) is None
