"""Commands of the batch system: bounded in time and in what is read of them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest
from moonlight_spawner.scheduler.command import CommandMissing, CommandTimeout, Result, run

from tests.support.waiting import PATIENCE, STILL


def sh(script: str, *, timeout: float = PATIENCE, **options: object) -> Result:
    return asyncio.run(run(["/bin/sh", "-c", script], timeout, **options))  # type: ignore[arg-type]


def test_status_output_and_errors_are_told_apart() -> None:
    result = sh("cat; echo no >&2; exit 3", stdin="hello\n")
    assert (result.status, result.output, result.errors) == (3, "hello\n", "no\n")
    assert not result.too_long


@pytest.mark.parametrize("extra, too_long", [(0, False), (1, True)])
def test_what_is_read_is_bounded(extra: int, too_long: bool) -> None:
    result = sh(f"head -c {1000 + extra} /dev/zero", limit=1000)
    assert (len(result.output), result.too_long) == (1000, too_long)


def test_who_never_stops_talking_is_ended_with_what_it_started(tmp_path: Path) -> None:
    result = sh(f"sleep 600 & echo $! > {tmp_path}/pid; exec yes", limit=1000)
    assert result.too_long and result.status < 0
    assert gone(int((tmp_path / "pid").read_text()))


def test_nothing_stays_open_of_one_that_was_ended() -> None:
    async def opened() -> tuple[int, int]:
        await run(["/bin/true"], PATIENCE)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            await run(["/usr/bin/yes"], PATIENCE, limit=1000)
        return before, len(os.listdir("/proc/self/fd"))

    before, after = asyncio.run(opened())
    assert after == before


def test_errors_are_read_to_the_end_and_kept_in_part() -> None:
    result = sh("head -c 1000000 /dev/zero >&2; echo done")
    assert result.output == "done\n" and 0 < len(result.errors) < 1_000_000


def test_who_does_not_answer_in_time_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """A wrapper around squeue is a shell, and its child would keep our pipe open."""
    with pytest.raises(CommandTimeout):
        sh(f"sleep 600 & echo $! > {tmp_path}/pid; wait", timeout=STILL)
    assert gone(int((tmp_path / "pid").read_text()))


def test_what_outlives_the_command_and_holds_its_pipes_is_ended_with_it(tmp_path: Path) -> None:
    with pytest.raises(CommandTimeout):
        sh(f"sleep 600 & echo $! > {tmp_path}/pid", timeout=STILL)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_command_that_reads_nothing_of_a_long_script_has_answered() -> None:
    assert sh("exec true", stdin="x" * 5_000_000).status == 0


def test_what_cannot_be_started_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandMissing, match="nosuch"):
        asyncio.run(run([str(tmp_path / "nosuch")], PATIENCE))


def gone(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE and os.getpgid(pid):
            process.wait(PATIENCE)
    except (psutil.NoSuchProcess, ProcessLookupError):
        pass
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
