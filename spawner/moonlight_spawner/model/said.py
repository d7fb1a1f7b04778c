"""What a program has said, as it is quoted in a reason."""

from __future__ import annotations

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
