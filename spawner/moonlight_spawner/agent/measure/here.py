"""``moonlight-hpc agent --measure DIRECTORY RESOLUTION SECONDS``: measures on this node, in this job, and
prints the figures as JSON."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from ...model.errors import UnsafeDirectory
from ...model.files import read_shared
from ...model.records import Spec
from ..node.places import make_places, remove_places, sweep
from .measure import Measured, Unmeasurable, measured


def run(directory: str, resolution: str, seconds: str) -> int:
    """Exit status."""
    try:
        spec = Spec.model_validate_json(read_shared(Path(directory) / "spec.json") or b"")
        print(asyncio.run(_measured(spec, resolution, float(seconds))).model_dump_json())
        return 0
    except (Unmeasurable, UnsafeDirectory, ValueError, OSError) as e:
        print(e, file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return 143


async def _measured(spec: Spec, resolution: str, seconds: float) -> Measured:
    task = asyncio.current_task()
    assert task
    for ending in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):  # in order: nothing stays behind
        asyncio.get_running_loop().add_signal_handler(ending, task.cancel)
    sweep()  # as a session: what a KILL leaves is removed by the next one of this user
    runtime = make_places()
    try:
        return await measured(spec, resolution, seconds, runtime)
    finally:
        remove_places(runtime)
