"""Sessions on record whose Slurm is a few scripts. The real one is in tests/slurm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from moonlight_spawner.model.files import write_private
from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.model.records import AgentStatus, Facts, Job, Seen, Spec, StopReason
from moonlight_spawner.model.session import Gateway, Resources, Session, new_session_id, now
from moonlight_spawner.sessions.manager import SessionManager
from moonlight_spawner.site.options import MoonlightSite

GATEWAY = Gateway(hosts=["n1"], port=40000, certificate="PEM")
REQUEST = Resources(
    image="desktop", hours=1, cpus=1, memory_gb=1, gpus=0, resolution="800x600", fps=30
)
RUNS = "7|RUNNING|viz|1|n1|1767355200|4102444800|None"


class Desk:
    """A manager whose Slurm is three scripts; what scancel was told is written down."""

    def __init__(self, directory: Path):
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.cancelled = directory / "cancelled"
        self.program("squeue", "exit 0")
        self.program("sacct", "exit 0")
        self.program("scontrol", "echo 'ClusterName = lab'")
        self.program("scancel", f'echo "$*" >> {self.cancelled}')
        site = MoonlightSite(
            scheduler="slurm",
            slurm_bin=str(self.bin),
            sessions_dir=str(directory / "s"),
            logs_dir="",
            host_desktop="always",
            max_sessions=2,
            cache_seconds=0.1,
            answer_seconds=30.0,
        )
        self.manager = SessionManager(site)
        self.user = self.manager.store.user

    def program(self, name: str, script: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def has_job(self, session_id: str) -> None:
        """Slurm has job 7 of this session, and it runs."""
        by_name = f"echo '7 {session_id}'"
        self.program("squeue", f"case $* in *%j*) {by_name};; *jobs=*) echo '{RUNS}';; esac")

    def add(self, **parts: Any) -> str:
        session_id = new_session_id(self.user)
        facts = Facts(
            session_id=session_id,
            user=self.user,
            image_id="desktop",
            image_name="XFCE",
            host="selkies",
            scheduler="slurm",
            place="lab",
            request=REQUEST,
            created_at=now() - timedelta(minutes=10),
        )
        self.manager.store.put(self.user, session_id, "facts", facts)
        for name, record in {"spec": spec(session_id), **parts}.items():
            write_private(self.directory(session_id) / f"{name}.json", record.model_dump_json())
        return session_id

    def directory(self, session_id: str) -> Path:
        return self.manager.store.directory(session_id)

    def do(self, work: Callable[[SessionManager], Any]) -> Any:
        async def once() -> Any:
            manager = SessionManager(self.manager.site)
            try:
                return await work(manager)
            finally:
                await manager.close()

        return asyncio.run(once())

    def sessions(self) -> dict[str, Session]:
        found = self.do(lambda manager: manager.sessions(self.user))
        for session in found:
            json.loads(session.model_dump_json())  # as each door sends it
        return {session.session_id: session for session in found}

    def stop(self, session_id: str, why: StopReason = StopReason.USER) -> Session:
        stopped: Session = self.do(lambda manager: manager.stop(self.user, session_id, why))
        return stopped


def spec(session_id: str) -> Spec:
    known = {"max_width": 1, "max_height": 1, "display_min": 1, "display_max": 1, "port_min": 1}
    known |= {"port_max": 1, "gateway_address": "", "gateway_plain_http": False, "log_dir": ""}
    named = {"session_id": session_id, "image_id": "desktop", "host": "selkies"}
    return Spec(**named, scheduler="slurm", request=REQUEST, **known)  # type: ignore[arg-type]


def running() -> dict[str, Any]:
    return {
        "job": Job(job_id="7", submitted_at=now() - timedelta(minutes=9)),
        "seen": Seen(job=JobInfo(job_id="7", state=JobState.RUNNING)),
        "status": AgentStatus(phase="running", node="n1", gateway=GATEWAY, display_num=12),
    }
