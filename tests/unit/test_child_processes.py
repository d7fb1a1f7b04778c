"""A child process and its group: what TERM leaves time for, and that nothing is left."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.processes import loop as ours
from moonlight_spawner.processes.child import Child

from tests.support.loops import LOOPS

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


def _group(process: Path) -> int:
    try:
        return os.getpgid(int(process.name))
    except ProcessLookupError:
        return 0
