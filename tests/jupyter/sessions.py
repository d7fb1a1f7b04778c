"""Sessions for tests: real desktops of this machine, and records of sessions on made-up nodes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import psutil
from moonlight_spawner.model.files import private_directory, write_private
from moonlight_spawner.model.job import JobState
from moonlight_spawner.model.records import AgentStatus, Facts, Job
from moonlight_spawner.model.session import Gateway, Resources, Session, State, new_session_id, now
from moonlight_spawner.processes.mark import mark_of
from moonlight_spawner.scheduler.local import LocalJob, read_job
from moonlight_spawner.scheduler.local_queue import place_of
from moonlight_spawner.sessions.manager import SessionManager
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.store import FileStore
from traitlets.config import Config

from tests.cluster.processes import Process
from tests.support.waiting import GRACE, PATIENCE, wait_until

T = TypeVar("T")

# What a test that was killed leaves behind ends by itself after these six minutes.
HOURS = 0.1
SMALL = {"hours": HOURS, "cpus": 1, "memory_gb": 1.0, "resolution": "800x600", "fps": 30}
TOKEN = "the-token-of-a-recorded-session-0123456789"


def site_config(sessions_dir: Path, **settings: Any) -> Config:
    """Settings of a site with no batch system and no images."""
    return Config(
        {
            "MoonlightSite": {
                "scheduler": "local",
                "sessions_dir": str(sessions_dir),
                "logs_dir": "",
                "sandboxes_dir": str(sessions_dir.parent / "sandboxes"),
                "images_dir": str(sessions_dir.parent / "images"),
                "max_width": 1920,
                "max_height": 1080,
                **SMALL,
                **settings,
            }
        }
    )


def elsewhere(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in a thread of its own: this thread's event loop is pytest-jupyter's."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def start_desktop(config: Config) -> Session:
    """A desktop that runs, started as a server would start it."""

    async def start() -> Session:
        manager = SessionManager(MoonlightSite(config=config))
        user = current_user()
        session, _ = await manager.create(user, {})
        deadline = time.monotonic() + PATIENCE
        while session.status is not State.RUNNING:
            logs = await manager.logs(user, session.session_id)
            assert session.live, f"{session.reason}\n{logs}"
            assert time.monotonic() < deadline, f"{session.reason}\n{logs}"
            await asyncio.sleep(0.2)
            session = await manager.get(user, session.session_id)
        await manager.close()
        return session

    return elsewhere(start())


def stop_all(sessions_dir: Path) -> None:
    """End every job below ``sessions_dir``, whatever is left of its records, and wait for it."""
    directories = list(sessions_dir.glob("*/ml-*"))
    runners = [process for d in directories if (process := _runner(d))]
    for runner in runners:
        runner.signal(signal.SIGTERM)
    # Not until its number is free again: whoever is process 1 here may take seconds to collect it.
    wait_until(lambda: not any(runner.alive() for runner in runners), GRACE)
    for runner in runners:
        runner.signal(signal.SIGKILL)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
    for root in {directory.parent for directory in directories}:
        shutil.rmtree(place_of(root), ignore_errors=True)  # of runners that were killed here


def _runner(directory: Path) -> Process | None:
    job = read_job(directory)
    return Process(job.pid, str(job.ticks)) if job and job.alive() else None


def current_user() -> str:
    return FileStore("/").user


def contents(file: Path) -> bytes:
    """Of a session's file; nothing of one that has just been written anew and renamed."""
    with contextlib.suppress(FileNotFoundError):
        return file.read_bytes()
    return b""


@contextlib.contextmanager
def a_process() -> Iterator[psutil.Process]:
    """Stands for a job that takes its time to end."""
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; exec sleep 600"])
    try:
        yield psutil.Process(child.pid)
    finally:
        child.kill()
        child.wait()


class Records:
    """Writes the records of sessions whose nodes the test plays itself."""

    def __init__(self, sessions_dir: Path, job: psutil.Process):
        self.store = FileStore(sessions_dir)
        self._job = job

    def add(self, phase: str = "running", gateway: Gateway | None = None, **more: Any) -> str:
        """A session that runs; gives its id."""
        user = current_user()
        session_id = new_session_id(user)
        request = Resources(image="host-desktop", gpus=0, **SMALL)
        facts = Facts(
            session_id=session_id,
            user=user,
            image_id="host-desktop",
            image_name="Linux desktop (XFCE)",
            host="selkies",
            scheduler="local",
            request=request,
        )
        self.store.put(user, session_id, "facts", facts)
        self.store.put(user, session_id, "job", Job(job_id=session_id))
        local = LocalJob(
            **mark_of(self._job.pid).model_dump(),
            state=JobState.RUNNING,
            started_at=now(),
        )
        directory = self.store.directory(session_id)
        write_private(directory / "local.json", local.model_dump_json())
        write_private(directory / "token", TOKEN)
        self.say(session_id, phase, gateway, **more)
        return session_id

    def say(self, session_id: str, phase: str, gateway: Gateway | None = None, **more: Any) -> None:
        """The word of the session's agent."""
        status = AgentStatus(phase=phase, node="n1", gateway=gateway, **more)
        directory = self.store.directory(session_id)
        write_private(directory / "status.json", status.model_dump_json())

    def of_another(self, user: str, session_id: str) -> str:
        """Move a session into the directory of another user."""
        theirs = private_directory(self.store.root.parent / user)
        os.rename(self.store.directory(session_id), theirs / session_id)
        return session_id
