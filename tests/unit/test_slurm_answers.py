"""Answers of Slurm's commands that say less than they should. Real ones are in tests/slurm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from moonlight_spawner.errors import SubmitUnconfirmed
from moonlight_spawner.manager import SessionManager
from moonlight_spawner.scheduler.base import JobRequest, JobState, Snapshot
from moonlight_spawner.scheduler.slurm import SlurmScheduler
from moonlight_spawner.session import Resources
from moonlight_spawner.site import MoonlightSite

Commands = Callable[..., SlurmScheduler]


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Slurm's commands as shell scripts."""

    def make(**scripts: str) -> SlurmScheduler:
        for name, text in {"scontrol": "exit 1", "sacct": "", "squeue": "", **scripts}.items():
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        return SlurmScheduler(MoonlightSite(scheduler="slurm", slurm_bin=str(tmp_path)))

    return make


def ask(scheduler: SlurmScheduler, *job_ids: str) -> Snapshot:
    async def once() -> Snapshot:
        try:
            return await scheduler.query(job_ids)
        finally:
            await scheduler.close()

    return asyncio.run(once())


def submit(scheduler: SlurmScheduler, directory: Path) -> str:
    resources = Resources(
        image="x", hours=1, cpus=1, memory_gb=1, gpus=0, resolution="800x600", fps=30
    )
    request = JobRequest("ml-x-abcdefghij", "#!/bin/sh\n", directory, directory / "log", resources)
    return asyncio.run(scheduler.submit(request))


@pytest.mark.parametrize(
    "script", ["kill -KILL $$", "kill -INT $$", "exit 0", "echo Submitted batch job 55"]
)
def test_an_sbatch_that_gives_no_id_may_have_submitted(
    commands: Commands, tmp_path: Path, script: str
) -> None:
    with pytest.raises(SubmitUnconfirmed):
        submit(commands(sbatch=script), tmp_path)


def test_a_job_that_runs_by_the_accounting_has_not_ended(commands: Commands) -> None:
    """Whatever squeue leaves out (PrivateData, a hidden partition)."""
    line = "7|RUNNING|n1|1767355200|Unknown"
    snapshot = ask(commands(sacct=f"echo '{line}'"), "7", "8")
    assert snapshot.complete
    assert {i: job.state for i, job in snapshot.jobs.items()} == {"7": JobState.RUNNING}


def test_a_squeue_that_cannot_be_started_is_no_answer(commands: Commands, tmp_path: Path) -> None:
    scheduler = commands()
    (tmp_path / "squeue").write_text("#!/no/such/interpreter\n")
    snapshot = ask(scheduler, "7")
    assert not snapshot.complete and snapshot.stale_since
    assert "cannot be run" in (snapshot.stale_reason or "")


def test_times_that_no_calendar_has_are_no_times(commands: Commands) -> None:
    line = "7|RUNNING|viz|1|n1|1767355200|1000000000000|None"
    (job,) = ask(commands(squeue=f"echo '{line}'"), "7").jobs.values()
    assert job.started_at and job.ends_at is None


def test_a_question_that_follows_a_submission_waits_for_its_answer(
    commands: Commands, tmp_path: Path
) -> None:
    """The refresh that was under way is not old because the cache has been emptied."""
    line = "7|RUNNING|viz|1|n1|1767355200|1767358800|None"
    scheduler = commands(squeue=f"sleep 0.5; echo '{line}'", sbatch="echo 8")

    async def scenario() -> Snapshot:
        looking = asyncio.ensure_future(scheduler.query(["7"]))
        await asyncio.sleep(0.1)
        scheduler._queue.expire()
        try:
            return await scheduler.query(["7"])
        finally:
            await looking
            await scheduler.close()

    snapshot = asyncio.run(scenario())
    assert snapshot.stale_since is None and "7" in snapshot.jobs


def test_a_launch_that_is_given_up_stays_on_record(commands: Commands, tmp_path: Path) -> None:
    """The job may be in the queue already: it is looked for."""
    started = tmp_path / "started"
    scheduler = commands(sbatch=f"touch {started}; exec sleep 60", squeue="exec sleep 60")
    settings = {"sessions_dir": str(tmp_path / "s"), "host_desktop": "always"}
    site = MoonlightSite(scheduler="slurm", slurm_bin=str(tmp_path), logs_dir="", **settings)
    manager = SessionManager(site, scheduler=scheduler)

    async def scenario() -> None:
        user = manager.store.user
        launch = asyncio.ensure_future(manager.create(user, {}, "key"))
        while not started.exists():
            await asyncio.sleep(0.02)
        launch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await launch
        (session,) = await manager.sessions(user)
        assert (session.status.value, session.reason_code) == ("pending", "SubmitUnconfirmed")
        again, created = await manager.create(user, {}, "key")
        assert (again.session_id, created) == (session.session_id, False)
        await manager.close()

    asyncio.run(scenario())
