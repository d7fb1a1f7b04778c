"""A measurement that is broken off leaves no program behind, whatever ends it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import PATIENCE, wait_for
from tests.unit.desk import spec


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_its_programs_end_with_it(tmp_path: Path, ending: signal.Signals) -> None:
    there = spec("ml-alice-aaaaaaaaaa").model_copy(
        update={"host": "selkies", "display_min": 400, "display_max": 499}
    )
    (tmp_path / "spec.json").write_text(there.model_dump_json())
    (tmp_path / "spec.json").chmod(0o600)
    argv = [sys.executable, "-m", "moonlight_spawner", "agent", "--measure", str(tmp_path)]
    with subprocess.Popen([*argv, "800x600", "200"], stdout=subprocess.PIPE) as process:
        try:
            below = wait_for(lambda: _with_a_pattern(process.pid))
            (runtime,) = {Path(one.environ()["TMPDIR"]) for one in below}
            assert runtime.stat().st_mode & 0o777 == 0o700
            assert not any(one.net_connections("tcp") for one in below)
            process.send_signal(ending)
            assert process.wait(PATIENCE) in (143, -ending)
            gone, alive = psutil.wait_procs(below, PATIENCE)
            assert not alive and len(gone) == len(below)
            assert not runtime.exists() or ending == signal.SIGKILL
        finally:
            process.kill()
    shutil.rmtree(runtime, ignore_errors=True)


def _with_a_pattern(pid: int) -> list[psutil.Process]:
    """All that it has started, once something is shown to be measured; empty before."""
    below = psutil.Process(pid).children(recursive=True)
    with contextlib.suppress(psutil.Error):  # one that has ended meanwhile
        if any("moonlight_spawner.agent.measure.pattern" in one.cmdline() for one in below):
            return below
    return []
