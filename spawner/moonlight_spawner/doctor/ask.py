"""Runs a program for a check: whatever comes of it is an answer."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from ..scheduler.command import CommandMissing, CommandTimeout, run
from ..site import MoonlightSite
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
        return next((line for line in self.errors.splitlines() if line.strip()), self.ended)


async def answer(argv: Sequence[str], seconds: float) -> Answer:
    """Run a program to its end, or for as long as one is willing to wait."""
    try:
        result = await run(argv, seconds)
    except CommandTimeout:
        return Answer("", "", f"it did not end within {seconds:g} s")
    except CommandMissing as e:
        return Answer("", "", str(e))
    return Answer(result.output, result.errors, _ended(result.status))


async def slurm(
    site: MoonlightSite, command: str, *arguments: str, seconds: float = SECONDS
) -> Answer:
    """What one of Slurm's commands says."""
    return await answer([site.slurm_command(command) or command, *arguments], seconds)


def last_line(text: str) -> str:
    return next((line for line in reversed(text.strip().splitlines()) if line.strip()), "")


def _ended(status: int) -> str:
    if status >= 0:
        return f"it ended with status {status}" if status else ""
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"
