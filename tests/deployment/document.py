"""docs/deployment.md as its reader takes it: commands in order, each phase's check, its way back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/deployment.md"
_BLOCK = re.compile(r"(?ms)^( *)```(console|nginx)\n(.*?)^ *```$")


@dataclass
class Command:
    """``shown``: what the document says that it says."""

    text: str
    as_root: bool
    shown: list[str] = field(default_factory=list)


@dataclass
class Phase:
    """``include``: what belongs into a file of the site's, between these commands and the next ones."""

    title: str
    do: list[Command] = field(default_factory=list)
    include: str = ""
    check: list[Command] = field(default_factory=list)
    way_back: list[Command] = field(default_factory=list)


def phases() -> list[Phase]:
    """In their order; the first is what is done before all others."""
    text = DOCUMENT.read_text("utf-8")
    parts = re.split(r"(?m)^## (.*)$", text)
    found = [_phase("Before", parts[0])]
    for title, part in zip(parts[1::2], parts[2::2], strict=True):
        if re.match("[A-E]\\. ", title):
            found.append(_phase(title, part))
    return found


def _phase(title: str, text: str) -> Phase:
    phase, begun = Phase(title), 0
    for block in _BLOCK.finditer(text):
        before, begun = text[begun : block.start()], block.end()
        indented, kind, inside = block.groups()
        lines = [line.removeprefix(indented) for line in inside.splitlines()]
        if kind == "nginx":
            phase.include = "\n".join(lines)
        elif not indented:
            phase.do += _commands(lines)
        else:
            head = before.rpartition("* **")[2]
            assert head.startswith(("Check", "Way back")), (
                f"{title}: neither one nor other: {before}"
            )
            (phase.check if head.startswith("Check") else phase.way_back).extend(_commands(lines))
    return phase


def _commands(lines: list[str]) -> list[Command]:
    found: list[Command] = []
    for line in lines:
        if line[:2] in ("# ", "$ "):
            found.append(Command(line[2:], line[0] == "#"))
        else:
            found[-1].shown.append(line)
    return found
