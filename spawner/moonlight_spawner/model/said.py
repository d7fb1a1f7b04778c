"""What a program or an exception has said, as it is quoted in a reason."""

from __future__ import annotations

import asyncio
import re

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Apptainer's: what it unpacks, removes, or can do without, often behind the words that tell why it failed.
_BESIDES = "INFO:    "


def lines_of(text: str) -> list[str]:
    """Its lines, without colours."""
    return [line.strip() for line in _COLOURS.sub("", text).splitlines() if line.strip()]


def quotable(text: str) -> list[str]:
    """Its lines, without colours and without what is no complaint."""
    return [line for line in lines_of(text) if not line.startswith(_BESIDES)]


def said_by(error: BaseException) -> str:
    """What an exception says. Many say nothing, a time-out first of all; a reason never is empty, nor "None".

    >>> said_by(OSError(28, "No space left on device")), said_by(TimeoutError()), said_by(OSError())
    ('No space left on device', 'it took too long', 'OSError')
    """
    said = (error.strerror if isinstance(error, OSError) else "") or " ".join(str(error).split())
    if said:
        return said
    late = isinstance(error, TimeoutError | asyncio.TimeoutError)  # two kinds, in Python 3.10
    return "it took too long" if late else type(error).__name__
