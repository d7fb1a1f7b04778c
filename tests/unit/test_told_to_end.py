"""A test run that gets a TERM leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
_TEST = """
import tempfile, time, pathlib, pytest

@pytest.fixture
def made():
    with tempfile.TemporaryDirectory(dir=pathlib.Path(__file__).parent, prefix="made-") as name:
        yield name

def test_that_goes_on(made):
    time.sleep(1000)
"""


def test_a_run_that_is_ended_by_a_signal_takes_back_what_it_made(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(_TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.ending", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert wait_until(lambda: list(tmp_path.glob("made-*")), interval=0.05)
        run.send_signal(signal.SIGTERM)
        said, _ = run.communicate(timeout=PATIENCE)
    finally:
        run.kill()
    assert run.returncode == 2 and "KeyboardInterrupt" in said
    assert not list(tmp_path.glob("made-*"))
