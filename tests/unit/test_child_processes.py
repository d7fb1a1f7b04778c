"""A child process and its group: what TERM leaves time for, and that nothing is left."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.processes.child import Child

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


@pytest.mark.parametrize(("script", "said"), [(WRAPPED, "ready\nsaved\n"), (DEAF, "ready\n")])
def test_a_wrapped_program_has_its_time_to_end_and_no_more(
    tmp_path: Path, adopting: None, script: str, said: str
) -> None:
    seconds = 30.0 if script is WRAPPED else 0.3
    heard, group = asyncio.run(stopped(tmp_path, script, seconds))
    assert heard == said
    assert not any(_group(process) == group for process in Path("/proc").glob("[0-9]*"))


def _group(process: Path) -> int:
    try:
        return os.getpgid(int(process.name))
    except ProcessLookupError:
        return 0
