"""In which order the files are run: what takes long begins first.

Each worker takes the next file when it has finished one. A file of a minute that begins last is
waited for by all the others; the many short ones at the end even that out. How long a file takes is
told by the services that its tests ask for, so a new file finds its place by itself.

Tests of a real Slurm wait more than they compute and those that start desktops compute more than
they wait: the one kind alternates with the other, so that neither the cores nor the workers idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

#: Fixtures that wait for others' programs, and fixtures that start desktops and servers.
_WAITING = {"slurm_cluster", "portal_place", "followed_document"}
_COMPUTING = {"launch", "running", "desk", "hub", "desktop", "browser"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    asked = {path: _fixtures(tests) for path, tests in files.items()}
    waiting = [path for path in files if asked[path] & _WAITING]
    computing = [path for path in files if asked[path] & _COMPUTING and path not in waiting]
    short = [path for path in files if path not in waiting and path not in computing]
    items[:] = [item for path in _alternate(waiting, computing, short) for item in files[path]]


def computes(fixtures: set[str]) -> bool:
    """Whether a test with these fixtures needs a core while it runs."""
    return bool(fixtures & _COMPUTING) or not fixtures & _WAITING


def _fixtures(tests: Iterable[pytest.Item]) -> set[str]:
    return {name for item in tests for name in getattr(item, "fixturenames", ())}


def _alternate(one: list[Path], other: list[Path], rest: list[Path]) -> Iterator[Path]:
    for pair in zip_longest(one, other):
        yield from filter(None, pair)
    yield from rest
