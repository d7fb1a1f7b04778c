"""No batch system: sessions run on this machine, each under a runner that outlives the server.

The runner (:mod:`.local_runner`) has the same states, the same signals and the same time limit
as a batch system, and keeps them in ``local.json`` in the session's directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from ..model.errors import SchedulerUnavailable, SubmitUnconfirmed
from ..model.files import read_shared, write_private
from ..model.job import JobInfo, JobState
from ..model.said import said_by
from ..model.session import Moment
from ..processes.caller import local_environment
from ..processes.mark import ProcessMark, this_machine
from ..site.machine import python
from ..site.options import MoonlightSite
from .base import JobRequest, Scheduler, Snapshot
from .local_queue import queue_directory

log = logging.getLogger(__name__)

_START_SECONDS = 15.0


class LocalJob(ProcessMark):
    """What the runner writes of its job, and the mark of its own process."""

    state: JobState
    code: str = ""
    message: str = ""
    started_at: Moment | None = None
    ends_at: Moment | None = None
    ended_at: Moment | None = None


class LocalScheduler(Scheduler):
    """Runs jobs as processes of this user. A job's id is its name, which is unique."""

    name = "local"

    def __init__(self, site: MoonlightSite, root: str):
        self._site = site
        self._root = Path(root)
        self._late: set[asyncio.Future[tuple[bytes, bytes]]] = set()

    async def submit(self, request: JobRequest) -> str:
        write_private(request.directory / "job.sh", request.script)
        slots = queue_directory(self._root)
        argv = python("moonlight_spawner.scheduler.local_runner")
        argv += [str(request.directory), str(request.log), str(request.resources.minutes)]
        argv += [str(slots), str(self._site.local_sessions)]
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=local_environment(os.environ),
                cwd=str(request.directory),
            )
        except OSError as e:
            raise SchedulerUnavailable(
                f"The session's runner cannot be started here: {said_by(e)}."
            ) from e
        # It has written its state and left our process tree when this process ends.
        ending = asyncio.ensure_future(process.communicate())
        done, _ = await asyncio.wait({ending}, timeout=_START_SECONDS)
        if not done:  # on a machine that is very busy it comes all the same
            self._late.add(ending)
            ending.add_done_callback(self._late.discard)
            raise SubmitUnconfirmed(
                f"The session's runner said nothing within {_START_SECONDS:g} s."
            )
        _, errors = await ending
        if process.returncode:
            said = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise SchedulerUnavailable(f"The session's runner did not start: {' '.join(said)}")
        return request.name

    async def query(self, job_ids: Collection[str]) -> Snapshot:
        found = {i: job for i in job_ids if (job := _look(self._root / i))}
        strangers = frozenset(i for i, job in found.items() if _unknown_here(job))
        jobs = {i: job for i, job in found.items() if i not in strangers}
        infos = {i: _info(i, job) for i, job in jobs.items()}
        waiting = sorted(
            (i for i, info in infos.items() if info.state is JobState.PENDING),
            key=lambda i: jobs[i].ticks,
        )
        for place, i in enumerate(waiting, 1):
            update = {"position": place, "pending": len(waiting)}
            infos[i] = infos[i].model_copy(update=update)
        return Snapshot(infos, strangers=strangers)

    async def place(self) -> str:
        return f"{os.uname().nodename}#{this_machine()}"

    async def find(self, names: Collection[str]) -> dict[str, str]:
        return {name: name for name in names if read_job(self._root / name)}

    async def settled(self, job_id: str) -> bool:
        """The runner has the last word, after the agent's: it lies beside the session's records."""
        job = read_job(self._root / job_id)
        return job is None or not job.alive()

    async def cancel(self, job_id: str) -> None:
        job = read_job(self._root / job_id)
        if job and job.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(job.pid, signal.SIGTERM)

    async def check(self) -> str | None:
        return None


def read_job(directory: Path) -> LocalJob | None:
    """What the runner says, None if it says nothing that can be read."""
    data = read_shared(directory / "local.json")
    try:
        return LocalJob.model_validate_json(data) if data else None
    except ValidationError as e:
        log.error("%s/local.json cannot be read and is passed over: %s", directory, e)
        return None


def _look(directory: Path) -> LocalJob | None:
    job = read_job(directory)
    if job and not job.state.ended and not job.alive():
        return read_job(directory)  # it may have ended between the two looks
    return job


def _unknown_here(job: LocalJob) -> bool:
    """Whether its runner cannot be seen from here, so that nobody can say that it is gone."""
    return not job.state.ended and not job.alive() and not job.gone()


def _info(job_id: str, job: LocalJob) -> JobInfo:
    if not job.state.ended and not job.alive():
        return JobInfo(
            job_id=job_id,
            state=JobState.NODE_FAIL,
            certain=True,
            code="RunnerGone",
            message="The machine was restarted, or the session's runner was killed.",
        )
    return JobInfo(
        job_id=job_id,
        state=job.state,
        certain=job.state.ended,
        code=job.code,
        message=job.message,
        node=(job.host or os.uname().nodename) if job.started_at else None,
        started_at=job.started_at,
        ends_at=job.ends_at,
        ended_at=job.ended_at,
    )
