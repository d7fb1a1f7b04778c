"""A child process and its group: what TERM leaves time for, and that nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.processes import loop as ours
from moonlight_spawner.processes.child import Child
from moonlight_spawner.scheduler.command import run

from tests.support.loops import LOOPS
from tests.support.waiting import wait_until

_PR_SET_CHILD_SUBREAPER = 36

# A shell around a program, as AppImages and module systems have it: it dies of TERM at once.
WRAPPED = """
trap 'sleep 0.5; echo saved >> {log}; exit 0' TERM
echo ready >> {log}
while :; do sleep 0.05; done
"""
DEAF = """
trap '' TERM
echo ready >> {log}
while :; do sleep 0.05; done
"""


@pytest.fixture
def adopting() -> Iterator[None]:
    """Orphans are ours for this test, as they are the agent's in a session."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


async def stopped(tmp_path: Path, script: str, seconds: float) -> tuple[str, int]:
    """Stop a shell whose child runs ``script``: what that wrote, and the number of the group."""
    log = tmp_path / "said"
    inner = tmp_path / "inner.sh"
    inner.write_text(script.format(log=log))
    command = ["sh", "-c", f"sh {inner}; echo the shell goes on"]
    child = Child("test", command, dict(os.environ), tmp_path / "log")
    await child.start()
    while not log.exists() or "ready" not in log.read_text():
        await asyncio.sleep(0.02)
    await child.stop(seconds)
    await child.stop(seconds)  # once more is no error
    assert not child.running
    return log.read_text(), child.pid


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize(("script", "said"), [(WRAPPED, "ready\nsaved\n"), (DEAF, "ready\n")])
def test_a_wrapped_program_has_its_time_to_end_and_no_more(
    tmp_path: Path, adopting: None, script: str, said: str
) -> None:
    seconds = 30.0 if script is WRAPPED else 0.3
    heard, group = asyncio.run(stopped(tmp_path, script, seconds))
    assert heard == said
    assert not any(_group(process) == group for process in Path("/proc").glob("[0-9]*"))


@pytest.mark.usefixtures("each_loop")
def test_a_word_to_one_that_has_ended_is_no_error(tmp_path: Path) -> None:
    async def tell() -> int:
        child = Child("test", ["true"], dict(os.environ), tmp_path / "log", told=True)
        await child.start()
        assert child._process and child._process.stdin
        while not child._process.stdin.is_closing():
            await asyncio.sleep(0.01)
        child.tell(b"a word\n")
        return await child.wait()

    assert asyncio.run(tell()) == 0


@pytest.mark.usefixtures("each_loop")
def test_nobody_reads_of_a_program_that_did_not_want_to_know(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Python would log it some time later, and has been seen to fail at what it was doing then."""

    async def tell() -> None:
        child = Child("test", ["true"], dict(os.environ), tmp_path / "log", told=True)
        await child.start()
        with contextlib.suppress(ChildProcessError):  # the loop has not heard of it, at the most
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        child.tell(b"a word\n")
        await child.wait()
        assert (await run(["true"], 60.0, stdin="x" * 10_000_000)).status == 0

    asyncio.run(tell())
    gc.collect()
    assert "never retrieved" not in caplog.text


async def said_by(tmp_path: Path, script: str, umask: int = -1) -> str:
    """What a program of that shell script prints."""
    child = Child("test", ["sh", "-c", script], dict(os.environ), tmp_path / "log", umask=umask)
    await child.start()
    assert await child.wait() == 0
    return child.log.read_text().strip()


@pytest.mark.usefixtures("each_loop")
def test_a_program_has_the_umask_that_is_its_own(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        assert asyncio.run(said_by(tmp_path, "umask", umask=0o027)) == "0027"
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(mask)


# Named as what mounts an image; in a group of its own, as Apptainer runs it.
HELPER = """
import os, time
if {daemon} : os.fork() and os._exit(0)
os.setsid() if {daemon} else os.setpgid(0, 0)
open("/proc/self/comm", "w").write("{name}")
print(os.getpid(), flush=True)
time.sleep(300)
"""


async def after_a_kill(tmp_path: Path, again: bool) -> tuple[bool, bool]:
    """After a container was killed, and then stopped or started again: whether its mount helper ended,
    and whether what the user mounted in it lives."""
    started = []
    for name, daemon in (("squashfuse_ll", False), ("gocryptfs", True)):
        script = tmp_path / name
        script.write_text(HELPER.format(name=name, daemon=daemon))
        started.append(f"{sys.executable} {script} & ")
    command = ["sh", "-c", "".join(started) + "wait; sleep 300"]
    child = Child("test", command, dict(os.environ), tmp_path / "log")
    await child.start()
    while len(pids := [int(line) for line in child.log.read_text().split()]) < 2:
        await asyncio.sleep(0.02)
    names = {Path(f"/proc/{pid}/comm").read_text().strip(): pid for pid in pids}
    os.killpg(child.pid, signal.SIGKILL)
    await child.wait()
    try:
        if again:
            child.argv = ["true"]
            await child.start()
            await child.wait()
        else:
            await child.stop()
        ended = wait_until(lambda: not _runs(names["squashfuse_ll"]))
        return ended, _runs(names["gocryptfs"])
    finally:
        for pid in names.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("again", [False, True])
def test_what_mounts_an_image_ends_with_its_container_and_nothing_else_does(
    tmp_path: Path, adopting: None, again: bool
) -> None:
    assert asyncio.run(after_a_kill(tmp_path, again)) == (True, True)


@pytest.mark.usefixtures("each_loop")
@pytest.mark.parametrize("missing", ["program", "directory"])
def test_what_is_not_there_has_a_name(tmp_path: Path, missing: str) -> None:
    argv = ["/no/such/program"] if missing == "program" else ["/bin/true"]
    where = "/" if missing == "program" else "/no/such/directory"
    child = Child("test", argv, {}, tmp_path / "log", where)
    with pytest.raises(FileNotFoundError) as told:
        asyncio.run(child.start())
    assert told.value.filename == f"/no/such/{missing}"
    assert told.value.strerror == "No such file or directory"


@pytest.mark.parametrize("loop", LOOPS)
def test_programs_do_not_get_what_we_were_started_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    """A batch system or a shell may leave a file or a socket open in what it starts."""
    on_loop(monkeypatch, loop)
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        assert ours.run(said_by(tmp_path, f"[ -e /proc/self/fd/{writer} ] || echo none")) == "none"
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("loop", LOOPS)
def test_what_relays_runs_on_uvloop_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    on_loop(monkeypatch, loop)

    async def which() -> str:
        return type(asyncio.get_running_loop()).__module__.split(".")[0]

    assert ours.run(which()) == loop


def on_loop(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == "asyncio":
        monkeypatch.setitem(sys.modules, "uvloop", None)


def _runs(pid: int) -> bool:
    """A zombie does not: whose it is collects it."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def _group(process: Path) -> int:
    try:
        return os.getpgid(int(process.name))
    except ProcessLookupError:
        return 0
