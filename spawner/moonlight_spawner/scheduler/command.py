"""Runs the batch system's commands: argument lists, bounded in time and in what is read, in plain C
locale."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..model.measured import measured
from ..processes.caller import command_environment
from ..processes.pipes import closed, tell

# What our questions are answered with is a few hundred bytes a job. Whoever answers with more has
# not understood the question, and reading it would cost the loop that relays streams.
MOST_BYTES = 1 << 20
_MOST_ERROR_BYTES = 64 << 10
_CHUNK_BYTES = 64 << 10
# A process that was killed is waited for this long: it may hang in the kernel (a dead file server).
_LAST_WAIT_SECONDS = 5.0


class CommandTimeout(Exception):
    """The command did not end in time and was killed."""


class CommandMissing(Exception):
    """The command cannot be started here: it is not installed, or there is no room for it."""


@dataclass(frozen=True)
class Result:
    """What became of a command. One whose answer was too long was ended; ``output`` has its beginning."""

    status: int
    output: str
    errors: str
    too_long: bool = False


async def run(
    argv: Sequence[str],
    timeout: float,
    stdin: str | None = None,
    limit: int = MOST_BYTES,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run a command to its end, or until it has said more than ``limit`` bytes. It is measured.

    ``env`` is what a command of the batch system gets, unless another is given.

    Raises
    ------
    CommandTimeout, CommandMissing
    """
    with measured("slurm", Path(argv[0]).name) as measure:
        result = await _run(argv, timeout, stdin, limit, env)
        measure.done = result.status == 0 and not result.too_long
    return result


async def _run(
    argv: Sequence[str],
    timeout: float,
    stdin: str | None,
    limit: int,
    env: Mapping[str, str] | None,
) -> Result:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=command_environment(argv[0], os.environ) if env is None else env,
            start_new_session=True,  # what it starts itself is ended with it
        )
    except OSError as e:  # not there, not allowed, or no room for one more process or file
        raise CommandMissing(f"{argv[0]} cannot be run: {e.strerror}") from e
    over = False  # whether all that it started, too, has let go of our pipes
    try:
        talk = _talk(
            process, None if stdin is None else stdin.encode("utf-8", "surrogateescape"), limit
        )
        output, errors, too_long = await asyncio.wait_for(talk, timeout)
        over = not too_long
    except asyncio.TimeoutError as e:
        raise CommandTimeout(f"{argv[0]} did not answer within {timeout:g} s") from e
    finally:
        await _end(process, over)
    return Result(
        process.returncode or 0,
        output.decode("utf-8", "replace"),
        errors.decode("utf-8", "replace"),
        too_long,
    )


async def _talk(
    process: asyncio.subprocess.Process, stdin: bytes | None, limit: int
) -> tuple[bytes, bytes, bool]:
    """Its output, its errors, and whether there would have been more output."""
    assert process.stdout and process.stderr
    errors = asyncio.ensure_future(_read(process.stderr, _MOST_ERROR_BYTES, to_the_end=True))
    writing = asyncio.ensure_future(_write(process, stdin))
    try:
        output, too_long = await _read(process.stdout, limit)
        if too_long:
            return output, b"", True
        await writing
        said, _ = await errors
        await process.wait()
        return output, said, False
    finally:
        errors.cancel()
        writing.cancel()
        await asyncio.gather(errors, writing, return_exceptions=True)


async def _write(process: asyncio.subprocess.Process, data: bytes | None) -> None:
    if process.stdin is None or data is None:
        return
    tell(process.stdin, data)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it did not want to know
        await process.stdin.drain()
    await closed(process.stdin)


async def _read(
    stream: asyncio.StreamReader, limit: int, to_the_end: bool = False
) -> tuple[bytes, bool]:
    """At most ``limit`` bytes, and whether there are more; with ``to_the_end`` those are thrown away."""
    read = bytearray()
    while chunk := await stream.read(_CHUNK_BYTES):
        read += chunk[: limit - len(read) + 1]
        if len(read) > limit and not to_the_end:
            break
    return bytes(read[:limit]), len(read) > limit


async def _end(process: asyncio.subprocess.Process, over: bool) -> None:
    """End it if it has not ended by itself: timed out, said too much, or we were cancelled. What it
    left behind may go on without it, in its group and with our pipes."""
    if not over:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_last_words(process), _LAST_WAIT_SECONDS)


async def _last_words(process: asyncio.subprocess.Process) -> None:
    """Read what is left in the pipes, or they stay open: nobody looks for their end otherwise."""
    for stream in (process.stdout, process.stderr):
        while stream and await stream.read(_CHUNK_BYTES):
            pass
    await process.wait()
