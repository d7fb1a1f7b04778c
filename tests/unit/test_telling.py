"""What takes long says so: `tools/telling`, and everything that `make` has to wait for."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[2]
TELLING = str(ROOT / "tools" / "telling")


def told(command: Sequence[str], stdout: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # Whoever began the tests in the background has them ignore it (POSIX, asynchronous lists).
        ["env", "--default-signal=INT", TELLING, "Doing it", *command],
        env={**os.environ, "TELLING_SECONDS": "0.2"},
        stdout=subprocess.PIPE if stdout is None else stdout,
        start_new_session=True,
        text=True,
    )


@pytest.mark.parametrize("status", [0, 3])
def test_it_says_what_is_waited_for_until_that_has_ended(tmp_path: Path, status: int) -> None:
    go = tmp_path / "go"
    script = f"while ! [ -e {go} ]; do sleep 0.05; done; exit {status}"
    with told(["sh", "-c", script]) as running:
        assert running.stdout
        assert running.stdout.readline() == "Doing it …\n"
        assert re.fullmatch("Doing it … [0-9]+ s\n", running.stdout.readline())
        go.touch()
        said = running.stdout.read()
    assert running.returncode == status
    end = "done in" if status == 0 else "failed after"
    assert re.search(f"Doing it: {end} [0-9]+ s", said.splitlines()[-1])


def test_on_a_terminal_it_is_one_line() -> None:
    ours, theirs = pty.openpty()
    with told(["sleep", "0.5"], stdout=theirs) as running:
        os.close(theirs)
    said = os.read(ours, 10_000).decode()
    os.close(ours)
    assert running.returncode == 0
    assert said.count("\n") == 1 and re.match("\rDoing it … [0-9]+ s", said)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_what_it_tells_of(signum: signal.Signals) -> None:
    with told(["sleep", "600"]) as running:
        assert running.stdout
        running.stdout.readline()
        wait_for(lambda: len(psutil.Process(running.pid).children()) == 2)
        all_of_it = [psutil.Process(running.pid), *psutil.Process(running.pid).children()]
        os.killpg(running.pid, signum)
    assert running.returncode != 0
    _, left = psutil.wait_procs(all_of_it, 0)
    wait_for(lambda: not [one for one in left if one.is_running()])


def test_all_that_make_waits_for_is_told() -> None:
    """pip -q and apt -qq say nothing for minutes on a machine that has none of it."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", "")
    silent = [
        line for line in text.splitlines() if re.search(r"^\t.*(PIP\)|-m venv|playwright) ", line)
    ]
    assert len(silent) >= 8
    assert [line for line in silent if "$(TELL) '" not in line] == []
    packages = (ROOT / "tools" / "packages").read_text().replace("\\\n", "")
    aptly = [line for line in packages.splitlines() if "patient_apt" in line]
    assert len(aptly) == 2 and all("/telling" in line for line in aptly)
