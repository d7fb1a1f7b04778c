"""What programs of other users need of the tests, where every user of the machine can reach it.

The checkout may lie in a directory that is closed to them, such as /root.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_TESTS = Path(__file__).resolve().parents[1]
_NOT_NEEDED = shutil.ignore_patterns("__pycache__", "artifacts", "node_modules")
_made: list[Path] = []


def reachable() -> Path:
    """A directory with a copy of `tests`, one for this process: `python -m tests.…` works in it."""
    if not _made:
        directory = Path(tempfile.mkdtemp(prefix="mlt-reachable-", dir="/var/tmp"))
        _made.append(directory)
        shutil.copytree(_TESTS, directory / "tests", ignore=_NOT_NEEDED)
        _add_broken_driver(directory / "no-gpu")
        for path in (directory, *directory.rglob("*")):  # whatever the umask of the checkout was
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    return _made[0]


def standins() -> Path:
    """The copy of `tests/standins`."""
    return reachable() / "tests" / "standins"


def no_gpu() -> Path:
    """Comes first on PATH: an ``nvidia-smi`` that finds no GPU, whatever this machine has."""
    return reachable() / "no-gpu"


def _add_broken_driver(directory: Path) -> None:
    directory.mkdir()
    program = directory / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'No devices were found' >&2\nexit 6\n")
    program.chmod(0o755)


@pytest.fixture(scope="session", autouse=True)
def open_to_others() -> Iterator[None]:
    """Tests make files for other users; the copy goes when the last test of this process ended."""
    before = os.umask(0o022)
    yield
    os.umask(before)
    while _made:
        shutil.rmtree(_made.pop())
