"""A measurement that is broken off leaves no program behind, whatever ends it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from moonlight_spawner.model.records import Spec

from tests.support.waiting import PATIENCE, wait_for
from tests.unit.desk import spec


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_its_programs_end_with_it(tmp_path: Path, ending: signal.Signals) -> None:
    there = spec("ml-alice-aaaaaaaaaa").model_copy(
        update={"host": "selkies", "display_min": 400, "display_max": 499}
    )
    with subprocess.Popen(_measuring(tmp_path, there), stdout=subprocess.PIPE) as process:
        try:
            below = wait_for(lambda: _with_a_pattern(process.pid))
            # Of one that has ended since, or has not become another program yet, it is not known.
            (runtime,) = {place for one in below if (place := _place(one))}
            assert runtime.stat().st_mode & 0o777 == 0o700
            assert not any(map(_listens, below))
            [lock] = _locks({one.pid for one in below})
            process.send_signal(ending)
            assert process.wait(PATIENCE) in (143, -ending)
            gone, alive = psutil.wait_procs(below, PATIENCE)
            assert not alive and len(gone) == len(below)
            if (
                ending == signal.SIGKILL
            ):  # which leaves files: the next one removes them, if only that
                other = there.model_copy(update={"host": "sunshine"})
                assert subprocess.run(_measuring(tmp_path, other)).returncode == 1
            assert not runtime.exists() and not lock.exists()
        finally:
            process.kill()


def _measuring(directory: Path, spec: Spec) -> list[str]:
    (directory / "spec.json").write_text(spec.model_dump_json())
    (directory / "spec.json").chmod(0o600)
    argv = [sys.executable, "-m", "moonlight_spawner", "agent", "--measure", str(directory)]
    return [*argv, "800x600", "200"]


def _locks(pids: set[int]) -> list[Path]:
    """Those of X servers that are among these processes."""
    said = {}
    for path in Path("/tmp").glob(".X4[0-9][0-9]-lock"):
        with contextlib.suppress(FileNotFoundError):  # another test's
            said[path] = path.read_text().strip()
    return [path for path, pid in said.items() if pid in map(str, pids)]


def _with_a_pattern(pid: int) -> list[psutil.Process]:
    """All that it has started, once something is shown to be measured; empty before."""
    below = psutil.Process(pid).children(recursive=True)
    with contextlib.suppress(psutil.Error):  # one that has ended meanwhile
        if any("moonlight_spawner.agent.measure.pattern" in one.cmdline() for one in below):
            return below
    return []


def _place(process: psutil.Process) -> Path | None:
    with contextlib.suppress(psutil.Error):
        place = process.environ().get("TMPDIR", "")
        return Path(place) if "moonlight-" in place else None
    return None


def _listens(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.net_connections("tcp"))
    return False
