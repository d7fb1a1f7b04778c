"""apt-get waits for another apt, whichever of its locks that holds."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE, wait_for

TOOL = Path(__file__).resolve().parents[2] / "tools" / "patient_apt"


@pytest.fixture
def apt(tmp_path: Path) -> dict[str, str]:
    """An environment in which apt keeps its lists and locks in a directory of the test."""
    for directory in ("lists/partial", "cache/archives/partial", "etc", "log"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "status").touch()
    config = tmp_path / "apt.conf"
    config.write_text(
        f'Dir::State "{tmp_path}"; Dir::State::status "{tmp_path}/status";\n'
        f'Dir::State::lists "{tmp_path}/lists"; Dir::Cache "{tmp_path}/cache";\n'
        f'Dir::Etc "{tmp_path}/etc"; Dir::Log "{tmp_path}/log";\n'
    )
    return {**os.environ, "APT_CONFIG": str(config)}


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """As apt holds its locks (fcntl(2), F_SETLK)."""
    with open(lock, "w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def start(arguments: list[str], env: dict[str, str], said: Path) -> subprocess.Popen[bytes]:
    with open(said, "wb") as errors:
        return subprocess.Popen(
            [TOOL, *arguments], env=env, stderr=errors, stdin=subprocess.DEVNULL
        )


@pytest.mark.parametrize(
    ("lock", "arguments"),
    [
        ("lists/lock", ["update"]),
        ("cache/archives/lock", ["clean"]),
    ],
)
def test_what_another_apt_holds_is_waited_for_and_that_is_said(
    apt: dict[str, str], tmp_path: Path, lock: str, arguments: list[str]
) -> None:
    said = tmp_path / "said"
    with held(tmp_path / lock):
        waiting = start(arguments, apt, said)
        wait_for(
            lambda: "Waiting for another apt" in said.read_text() or waiting.poll() is not None
        )
        assert waiting.poll() is None, said.read_text()
    assert waiting.wait(PATIENCE) == 0
    assert said.read_text().count("Waiting") == 1 and str(tmp_path / lock) in said.read_text()


def test_patience_ends(apt: dict[str, str], tmp_path: Path) -> None:
    said = tmp_path / "said"
    with held(tmp_path / "lists/lock"):
        waiting = start(["update"], {**apt, "PATIENT_APT_SECONDS": "0"}, said)
        assert waiting.wait(PATIENCE) == 100
    assert "Could not get lock" in said.read_text()


def test_another_failure_is_told_at_once(apt: dict[str, str], tmp_path: Path) -> None:
    said = tmp_path / "said"
    failing = start(["install", "-y", "no-such-package"], apt, said)
    assert failing.wait(PATIENCE) == 100
    assert "Unable to locate package no-such-package" in said.read_text()
