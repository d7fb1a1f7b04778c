"""``moonlight-hpc agent --measure DIRECTORY RESOLUTION SECONDS``: measures on this node, in this job, and
prints the figures as JSON."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from ...model.files import read_shared
from ...model.records import Spec
from .measure import Measured, Unmeasurable, measured


def run(directory: str, resolution: str, seconds: str) -> int:
    """Exit status."""
    try:
        spec = Spec.model_validate_json(read_shared(Path(directory) / "spec.json") or b"")
        print(asyncio.run(_measured(spec, resolution, float(seconds))).model_dump_json())
        return 0
    except (Unmeasurable, ValueError, OSError) as e:
        print(e, file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return 143


async def _measured(spec: Spec, resolution: str, seconds: float) -> Measured:
    task = asyncio.current_task()
    assert task
    for ending in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):  # in order: nothing stays behind
        asyncio.get_running_loop().add_signal_handler(ending, task.cancel)
    # Not below the job's own: a socket's path has to be short.
    runtime = Path(tempfile.mkdtemp(prefix="moonlight-measure-", dir="/tmp"))
    try:
        return await measured(spec, resolution, seconds, runtime)
    finally:
        shutil.rmtree(runtime, ignore_errors=True)
