"""Jobs of the local scheduler that are shell scripts: no desktop is needed to test their ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.model.session import Resources
from moonlight_spawner.scheduler.base import JobRequest
from moonlight_spawner.scheduler.local import LocalScheduler
from moonlight_spawner.scheduler.local_queue import place_of
from moonlight_spawner.site.options import MoonlightSite

from tests.cluster.processes import Process
from tests.support.waiting import wait_until


class Jobs:
    """Submits scripts and asks after them, by the letter that is a job's name."""

    def __init__(self, root: Path, slots: int):
        self.root = root
        self.scheduler = LocalScheduler(MoonlightSite(local_sessions=slots), str(root))
        self.names: list[str] = []

    @property
    def queue(self) -> Path:
        return place_of(self.root)

    def submit(self, name: str, script: str, hours: float = 1.0) -> None:
        directory = self.root / name
        directory.mkdir(mode=0o700)
        resources = Resources(
            image="x", hours=hours, cpus=1, memory_gb=1, gpus=0, resolution="640x480", fps=30
        )
        request = JobRequest(name, script, directory, directory / "agent.log", resources)
        assert asyncio.run(self.scheduler.submit(request)) == name
        self.names.append(name)

    def look(self, name: str) -> JobInfo:
        return asyncio.run(self.scheduler.query(self.names)).jobs[name]

    def cancel(self, name: str) -> None:
        asyncio.run(self.scheduler.cancel(name))

    def wait(self, name: str, state: JobState) -> JobInfo:
        assert wait_until(lambda: self.look(name).state is state, interval=0.05), self.look(name)
        return self.look(name)

    def runner(self, name: str) -> Process:
        return Process.of(json.loads((self.root / name / "local.json").read_bytes())["pid"])

    def script(self, name: str) -> Process:
        (pid,) = _children(self.runner(name).pid)
        return Process.of(pid)


Make = Callable[..., Jobs]


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
