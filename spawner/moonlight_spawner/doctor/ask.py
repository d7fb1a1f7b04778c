"""Runs a program for a check: whatever comes of it is an answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..model.said import quotable
from ..processes.caller import command_environment
from ..scheduler.command import CommandMissing, CommandTimeout, run
from ..site.options import MoonlightSite
from .finding import SECONDS


@dataclass(frozen=True)
class Answer:
    """What a program said. ``ended`` says in words how it failed; empty if it did not."""

    output: str
    errors: str
    ended: str

    @property
    def why(self) -> str:
        """Its last word, or how it ended if it said nothing."""
        return last_line(self.errors) or self.ended

    @property
    def first(self) -> str:
        """Its first word of complaint: Slurm's programs add what follows from it."""
        return next(iter(quotable(self.errors)), self.ended)


async def answer(
    argv: Sequence[str], seconds: float, env: Mapping[str, str] | None = None
) -> Answer:
    """Run a program to its end, or for as long as one is willing to wait.

    ``env`` is that of this shell by default, so that a program is tried as the user would.
    """
    try:
        result = await run(argv, seconds, env={**os.environ, "LC_ALL": "C"} if env is None else env)
    except CommandTimeout:
        return Answer("", "", f"it did not end within {seconds:g} s")
    except CommandMissing as e:
        return Answer("", "", str(e))
    return Answer(result.output, result.errors, _ended(result.status))


async def slurm(
    site: MoonlightSite, command: str, *arguments: str, seconds: float = SECONDS
) -> Answer:
    """What one of Slurm's commands says."""
    argv = [site.slurm_command(command) or command, *arguments]
    return await answer(argv, seconds, command_environment(command, os.environ))


def last_line(text: str) -> str:
    return next(reversed(quotable(text)), "")


def _ended(status: int) -> str:
    if status >= 0:
        return f"it ended with status {status}" if status else ""
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"
