"""`make test` says at its end what took long and what was run a second time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.growth import table
from tests.support.waiting import PATIENCE

_ROOT = Path(__file__).parents[2]
_FILES = 31  # as many as are a run whose slowest files are told


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One with tests of no product, and with our way of running them."""
    (tmp_path / "tools").mkdir()
    shutil.copy(_ROOT / "tools/run_tests", tmp_path / "tools")
    (tmp_path / "tests/support").mkdir(parents=True)
    for package in ("tests", "tests/support"):
        (tmp_path / package / "__init__.py").touch()
    shutil.copy(_ROOT / "tests/support/growth.py", tmp_path / "tests/support")
    (tmp_path / "tests/conftest.py").write_text('pytest_plugins = ["tests.support.growth"]\n')
    (tmp_path / "pytest.ini").touch()
    for number in range(_FILES):
        (tmp_path / f"tests/test_{number}.py").write_text("def test_it():\n    pass\n")
    return tmp_path


def run(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "tools/run_tests", sys.executable, "-q"],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_the_slowest_files_and_what_was_run_again_are_the_last_lines(checkout: Path) -> None:
    (checkout / "tests/test_0.py").write_text(
        "import time\nfrom pathlib import Path\n\n"
        "def test_beside_others():\n"
        "    time.sleep(0.2)\n"
        f"    mark = Path({str(checkout / 'mark')!r})\n"
        "    there = mark.exists()\n"
        "    mark.touch()\n"
        "    assert there\n"
    )
    done = run(checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    *_, end = done.stdout.split("Slowest files:\n")
    lines = end.splitlines()
    assert lines[0].endswith(" s  tests/test_0.py") and float(lines[0].split()[0]) >= 0.2
    assert f"in {_FILES} files" in end
    assert lines[-2].endswith("Run a second time: ") and lines[-2].startswith(
        "The tests took 0 min"
    )
    assert lines[-1] == "tests/test_0.py::test_beside_others"


def test_a_run_without_a_failure_says_that_nothing_was_run_again(checkout: Path) -> None:
    done = run(checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("Run a second time: none")


def test_what_fails_twice_fails_the_run(checkout: Path) -> None:
    (checkout / "tests/test_0.py").write_text("def test_no():\n    assert False\n")
    done = run(checkout)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "tests/test_0.py::test_no"


def test_the_slowest_come_first() -> None:
    lines = table(Counter({f"{n}.py": float(n) for n in range(40)})).splitlines()
    assert lines[0].split() == ["39.0", "s", "39.py"] and len(lines) == 13
    assert lines[-1].split()[:4] == ["780.0", "s", "in", "40"]
