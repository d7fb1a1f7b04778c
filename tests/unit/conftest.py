"""A site with private directories, and a place that other users of the machine can reach."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.session import Resources
from moonlight_spawner.site.options import MoonlightSite

from tests.support.waiting import PATIENCE

# Processes that share nothing with this one but what they are handed: what decides between them
# is the disk.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["pytest", "moonlight_spawner.store"])


@pytest.fixture
def site(tmp_path: Path) -> MoonlightSite:
    """Limits that differ from each other, so that a mixed-up limit shows."""
    return MoonlightSite(
        scheduler="slurm",
        hours=4.0,
        cpus=3,
        memory_gb=5.0,
        gpus=1,
        resolution="1280x720",
        fps=30,
        max_hours=12.0,
        max_cpus=24,
        max_memory_gb=96.0,
        max_gpus=2,
        max_width=2560,
        max_height=1440,
        max_fps=90,
        images_dir=str(tmp_path / "images"),
        sessions_dir=str(tmp_path / "sessions"),
        logs_dir="",
        sandboxes_dir=str(tmp_path / "sandboxes"),
    )


@pytest.fixture
def resources() -> Resources:
    return Resources(
        image="desktop",
        hours=2.0,
        cpus=4,
        memory_gb=8.0,
        gpus=1,
        resolution="1920x1080",
        fps=60,
    )


@pytest.fixture
def shared_directory() -> Iterator[Path]:
    """Like /scratch: everybody may write here, and nobody but the owner may remove."""
    with tempfile.TemporaryDirectory(prefix="mlt-unit-", dir="/var/tmp") as path:
        os.chmod(path, 0o1777)
        yield Path(path)


AsNobody = Callable[..., Any]


@pytest.fixture
def as_nobody() -> AsNobody:
    """Run Python source as the user `nobody`; what it assigns to `result` comes back.

    The arguments are its `args`. A failure in it is a failure of the test, with its traceback.
    """

    def run(source: str, *args: str) -> Any:
        program = (
            "import json, sys; args = sys.argv[1:]; result = None\n"
            f"{source}\nprint(json.dumps(result))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *args],
            user="nobody",
            group="nogroup",
            extra_groups=[],
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
