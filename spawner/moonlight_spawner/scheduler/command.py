"""Runs the batch system's commands: argument lists, bounded in time, in plain C locale."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass


class CommandTimeout(Exception):
    """The command did not end in time and was killed."""


class CommandMissing(Exception):
    """The command cannot be started here: it is not installed, or there is no room for it."""


@dataclass(frozen=True)
class Result:
    status: int
    output: str
    errors: str


async def run(argv: Sequence[str], timeout: float, stdin: str | None = None) -> Result:
    """Run a command to its end and give its exit status and texts.

    Raises
    ------
    CommandTimeout, CommandMissing
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SBATCH_", "SQUEUE_"))}
    # Epoch seconds: Slurm prints local time without an offset otherwise.
    env |= {"LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
        )
    except OSError as e:  # not there, not allowed, or no room for one more process or file
        raise CommandMissing(f"{argv[0]} cannot be run: {e.strerror}") from e
    try:
        data = stdin.encode() if stdin is not None else None
        output, errors = await asyncio.wait_for(process.communicate(data), timeout)
    except asyncio.TimeoutError as e:
        raise CommandTimeout(f"{argv[0]} did not answer within {timeout:g} s") from e
    finally:
        if process.returncode is None:  # timed out, or we were cancelled
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return Result(
        process.returncode or 0,
        output.decode("utf-8", "replace"),
        errors.decode("utf-8", "replace"),
    )
