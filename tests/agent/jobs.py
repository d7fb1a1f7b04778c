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
from tests.support.waiting import wait_for, wait_until


class Jobs:
    """Submits scripts and asks after them, by the letter that is a job's name."""

    def __init__(self, root: Path, slots: int):
        self.root = root
        self.scheduler = LocalScheduler(MoonlightSite(local_sessions=slots), str(root))
        self.names: list[str] = []

    @property
    def queue(self) -> Path:
        return place_of(self.root)

    def request(self, name: str, script: str, hours: float = 1.0) -> JobRequest:
        """What is submitted of it."""
        directory = self.root / name
        directory.mkdir(mode=0o700)
        resources = Resources(
            image="x", hours=hours, cpus=1, memory_gb=1, gpus=0, resolution="640x480", fps=30
        )
        return JobRequest(name, script, directory, directory / "agent.log", resources)

    def submit(self, name: str, script: str, hours: float = 1.0) -> None:
        request = self.request(name, script, hours)
        assert asyncio.run(self.scheduler.submit(request)) == name
        self.names.append(name)

    def look(self, name: str) -> JobInfo:
        return asyncio.run(self.scheduler.query(self.names)).jobs[name]

    def cancel(self, name: str) -> None:
        asyncio.run(self.scheduler.cancel(name))

    def wait(self, name: str, state: JobState) -> JobInfo:
        seen: list[JobInfo] = []

        def there() -> bool:
            seen.append(self.look(name))
            return seen[-1].state is state

        assert wait_until(there, interval=0.05), seen[-1]
        return seen[-1]

    def runner(self, name: str) -> Process:
        return Process.of(json.loads((self.root / name / "local.json").read_bytes())["pid"])

    def script(self, name: str) -> Process:
        """That of a job that runs: it is on record as running a moment before it begins."""
        runner = self.runner(name).pid
        (pid,) = wait_for(lambda: _children(runner))
        return Process.of(pid)


Make = Callable[..., Jobs]


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
