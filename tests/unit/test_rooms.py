"""Which room of moonlight_spawner knows which: docs/structure.md draws it, and this holds it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_KNOWS = {
    "model": set(),
    "relay": set(),
    "processes": {"model"},
    "site": {"model"},
    "store": {"model"},
    "scheduler": {"model", "processes", "site"},
    "sessions": {"model", "processes", "relay", "scheduler", "site", "store"},
    "agent": {"model", "processes", "relay"},
    "image_build": {"model", "site"},
    # It examines what the others are made of.
    "doctor": {"agent", "model", "processes", "scheduler", "site", "store"},
    # Many users' sessions: what each user's own side is asked.
    "portal": {"model", "processes", "scheduler", "sessions", "site", "store"},
    # Doors. The agent has its only entry among the commands.
    "proxied": {"model", "relay", "sessions", "site"},
    "ood": {"doctor", "model", "processes", "relay", "sessions", "site"},
    "hub": {"model", "processes", "relay", "scheduler", "site"},
    "cli": {
        "agent",
        "doctor",
        "image_build",
        "model",
        "ood",
        "portal",
        "processes",
        "proxied",
        "scheduler",
        "sessions",
        "site",
    },
}


def _root() -> Path:
    spec = find_spec("moonlight_spawner")
    assert spec and spec.origin
    return Path(spec.origin).parent


def _arrows() -> Iterator[tuple[str, str, str]]:
    """Of every import within the package: its module, its room, and the room that it reaches into."""
    for path in _root().rglob("*.py"):
        module = path.relative_to(_root()).with_suffix("").parts
        inner = module[:-1]
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = inner[: len(inner) - node.level + 1]
                reached = (*base, *(node.module or node.names[0].name).split("."))
                yield "/".join(module), module[0], reached[0]


def test_every_room_knows_only_the_rooms_below_it() -> None:
    arrows = [(m, a, b) for m, a, b in _arrows() if a in _KNOWS and a != b]
    assert len(arrows) > 100, "the imports were not found"
    ours = {path.name for path in _root().iterdir() if path.is_dir() and path.name != "__pycache__"}
    wrong = [f"{module} imports {b}" for module, a, b in arrows if b in ours and b not in _KNOWS[a]]
    assert not wrong, wrong


def test_every_room_is_drawn() -> None:
    """A new room has its place here and in docs/structure.md, and no module lies in front of them."""
    rooms = {
        path.name for path in _root().iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert rooms == set(_KNOWS)
    loose = {path.name for path in _root().glob("*.py")} - {"__init__.py", "__main__.py"}
    assert not loose, loose
