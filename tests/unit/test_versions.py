"""Versions that are written in more than one place."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONSTRAINTS = re.findall(r"^[^#\s]+", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
EXTRAS = PYPROJECT["project"]["optional-dependencies"].values()
REQUIREMENTS = [
    *PYPROJECT["build-system"]["requires"],
    *PYPROJECT["project"]["dependencies"],
    *(requirement for extra in EXTRAS for requirement in extra),
]


def names(requirements: Iterable[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in requirements}


def test_an_exact_version_is_the_same_in_pyproject_and_constraints() -> None:
    """`make build` has what constraints.txt says, and stops if pyproject.toml wants another."""
    exact = {requirement for requirement in REQUIREMENTS if "==" in requirement}
    assert {"hatchling", "selkies"} <= names(exact)
    assert exact <= set(CONSTRAINTS)


def test_whatever_is_asked_for_has_an_exact_version() -> None:
    made = re.findall(r"install -c constraints\.txt (.+)", (ROOT / "Makefile").read_text("utf-8"))
    words = [word for line in made for word in shlex.split(line)]
    asked = names(word for word in words if not word.startswith(("-", ".")))
    assert {"pip", "hatchling", "build"} <= asked
    wanted = asked | names(REQUIREMENTS)
    assert wanted <= names(CONSTRAINTS), wanted - names(CONSTRAINTS)
