"""Answers of Slurm's commands that say less than they should. Real ones are in tests/slurm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from moonlight_spawner.model.errors import SchedulerUnavailable, SubmitUnconfirmed
from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.model.session import Resources, StaleCode
from moonlight_spawner.scheduler.base import JobRequest, Snapshot
from moonlight_spawner.scheduler.slurm import SlurmScheduler
from moonlight_spawner.scheduler.slurm_place import MOST_BYTES
from moonlight_spawner.sessions.manager import SessionManager
from moonlight_spawner.site.options import MoonlightSite

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


RUNS = "7|RUNNING|viz|1|n1|1767355200|1767358800|None"
WAITS = "7|PENDING|viz|100|n/a|N/A|N/A|Priority"
GARBAGE = {
    "noise": "printf '\\001\\377garbage\\n'",
    "a page": "echo '<html><body>503</body></html>'",
    "another layout": "echo 'JOBID PARTITION NAME USER ST TIME NODES NODELIST(REASON)'",
    "a cut line": f"printf '{RUNS[:20]}'",
    "a message": "echo 'slurm_load_jobs error: Unexpected message received'",
    "one line of many": f"echo '{RUNS}'; echo oops",
}


@pytest.mark.parametrize("script", GARBAGE.values(), ids=GARBAGE.keys())
def test_an_answer_that_cannot_be_read_is_no_answer(commands: Commands, script: str) -> None:
    """With exit status 0 it would be the end of every session, and that is final."""
    snapshot = ask(commands(squeue=script), "7")
    assert not snapshot.complete and snapshot.stale_since and not snapshot.jobs
    assert snapshot.stale_code is StaleCode.SCHEDULER_UNCLEAR
    assert "cannot be read" in (snapshot.stale_reason or "")


@pytest.mark.parametrize("script", GARBAGE.values(), ids=GARBAGE.keys())
def test_nor_is_it_one_about_a_job_that_is_looked_for_by_name(
    commands: Commands, script: str
) -> None:
    with pytest.raises(SchedulerUnavailable, match="cannot be read"):
        asyncio.run(commands(squeue=script).find(["ml-x-abcdefghij"]))


def test_an_empty_answer_with_a_warning_is_none_about_what_is_missing(commands: Commands) -> None:
    warning = "echo 'squeue: error: something odd' >&2"
    snapshot = ask(commands(squeue=f"{warning}; echo '{RUNS}'"), "7", "8")
    assert snapshot.stale_since is None and set(snapshot.jobs) == {"7"}
    assert set(snapshot.doubts) == {"8"} and "something odd" in snapshot.doubts["8"].reason
    with pytest.raises(SchedulerUnavailable, match="something odd"):
        asyncio.run(commands(squeue=warning).find(["ml-x-abcdefghij"]))
    ended = ask(commands(squeue=warning, sacct="echo '8|FAILED|n1|1|2'"), "8")
    assert not ended.doubts and ended.jobs["8"].state is JobState.FAILED


def test_of_one_job_that_it_does_not_know_slurm_says_so_with_an_error(commands: Commands) -> None:
    error = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
    snapshot = ask(commands(squeue=error), "7")
    assert snapshot.complete and not snapshot.jobs and not snapshot.doubts
    other = error.replace("Invalid job id specified", "Access denied")
    assert not ask(commands(squeue=other), "7").complete


def test_a_state_of_a_newer_slurm_is_a_doubt_about_that_job_alone(commands: Commands) -> None:
    lines = RUNS.replace("RUNNING", "LEVITATING") + "\\n" + RUNS.replace("7|", "8|", 1)
    snapshot = ask(commands(squeue=f"printf '{lines}\\n'"), "7", "8")
    assert set(snapshot.jobs) == {"8"} and set(snapshot.doubts) == {"7"}
    assert "LEVITATING" in snapshot.doubts["7"].reason
    accounted = ask(commands(sacct="echo '7|LEVITATING|n1|1|2'"), "7")
    assert set(accounted.doubts) == {"7"} and not accounted.jobs


@pytest.mark.parametrize(
    "script", ["echo oops", "echo '7|FAILED'", "echo away >&2; exit 1", "echo odd >&2"]
)
def test_an_accounting_that_says_nothing_sure_is_a_doubt(commands: Commands, script: str) -> None:
    snapshot = ask(commands(squeue=f"echo '{RUNS}'", sacct=script), "7", "8")
    assert snapshot.stale_since is None and set(snapshot.jobs) == {"7"}
    assert set(snapshot.doubts) == {"8"}


def test_a_site_without_accounting_is_no_doubt(commands: Commands) -> None:
    for script in ("; exit 1", ""):
        said = f"echo 'Slurm accounting storage is disabled' >&2{script}"
        snapshot = ask(commands(sacct=said), "7")
        assert snapshot.complete and not snapshot.jobs and not snapshot.doubts


def test_what_only_the_accounting_takes_for_alive_is_not_listed(commands: Commands) -> None:
    snapshot = ask(commands(sacct="echo '7|RUNNING|n1|1767355200|Unknown'"), "7")
    assert snapshot.unlisted == {"7"} and not snapshot.doubts


def test_squeues_word_counts_before_that_of_the_accounting(
    commands: Commands, tmp_path: Path
) -> None:
    """A job that was put back into the queue has an end there that it has come back from."""
    here = tmp_path / "here"
    scheduler = commands(
        squeue=f"test -e {here} && echo '{WAITS}'; exit 0", sacct="echo '7|NODE_FAIL|n1|1|2'"
    )

    async def scenario() -> list[JobState]:
        states = []
        for _ in range(2):
            states.append((await scheduler.query(["7"])).jobs["7"].state)
            here.touch()
            scheduler._queue.expire()
        await scheduler.close()
        return states

    assert asyncio.run(scenario()) == [JobState.NODE_FAIL, JobState.PENDING]


def recorded(scheduler_of: Commands, log: Path, lines: str, queue: str = "") -> SlurmScheduler:
    """A squeue that writes down what it was asked, and has a queue of others, too."""
    script = (
        f'echo "$*" >> {log}\ncase "$*" in *--sort*) {queue or ":"};; *) printf "{lines}";; esac'
    )
    return scheduler_of(squeue=script)


def test_only_ones_own_jobs_are_asked_for_and_the_queue_only_by_who_waits(
    commands: Commands, tmp_path: Path
) -> None:
    log = tmp_path / "asked"
    ask(recorded(commands, log, RUNS + "\\n"), "7", "8")
    (asked,) = log.read_text().splitlines()
    assert "--me" in asked and "--jobs=7,8" in asked
    assert "%j" not in asked and "%k" not in asked, "free text that may hold anything"

    log.unlink()
    queue = "printf '3\\n7\\n5\\n'"
    (job,) = ask(recorded(commands, log, WAITS + "\\n", queue), "7").jobs.values()
    assert (job.position, job.pending, job.at_least) == (2, 3, False)
    own, others = log.read_text().splitlines()
    assert "--me" in own
    assert "--partition=viz" in others and "--states=PENDING" in others and "--format=%i" in others


def test_the_queue_is_asked_for_rarely(commands: Commands, tmp_path: Path) -> None:
    log = tmp_path / "asked"
    scheduler = recorded(commands, log, WAITS + "\\n", "echo 7")

    async def scenario() -> None:
        for _ in range(4):
            scheduler._queue.expire()
            assert (await scheduler.query(["7"])).jobs["7"].position == 1
        await scheduler.close()

    asyncio.run(scenario())
    asked = log.read_text().splitlines()
    assert (len(asked), sum("--sort" in line for line in asked)) == (5, 1)


def test_a_job_at_its_place_is_the_same_as_long_as_slurm_says_the_same(
    commands: Commands, tmp_path: Path
) -> None:
    """Who compares many jobs with those of the last look does it by what they are, not by what is in them."""
    said, queue = tmp_path / "said", tmp_path / "queue"
    script = f'case "$*" in *--sort*) cat {queue};; *) cat {said};; esac'
    scheduler = commands(squeue=script)

    async def scenario() -> None:
        async def ask() -> JobInfo:
            scheduler._queue.expire()
            return (await scheduler.query(["7"])).jobs["7"]

        said.write_text(WAITS + "\n")
        queue.write_text("3\n7\n")
        first = await ask()
        assert first.position == 2 and await ask() is first
        said.write_text(WAITS.replace("Priority", "Resources") + "\n")
        other = await ask()
        assert (other.code, other.position) == ("Resources", 2)
        queue.write_text("7\n")
        scheduler._queue._places._asked_at.clear()  # half a minute has gone by
        while (await ask()).position != 1:
            await asyncio.sleep(0.05)
        said.write_text(RUNS + "\n")
        assert (await ask()).position is None and not scheduler._queue._placed
        await scheduler.close()

    asyncio.run(scenario())


def test_a_queue_too_long_to_be_read_is_counted_as_far_as_it_was_read(
    commands: Commands, tmp_path: Path
) -> None:
    scheduler = recorded(commands, tmp_path / "asked", WAITS + "\\n", "exec seq 1000000 9999999")
    (job,) = ask(scheduler, "7").jobs.values()
    assert job.at_least and job.pending is None
    assert job.position == MOST_BYTES // 8 + 1


@pytest.mark.parametrize("queue", ["echo oops 503", "exit 1", "exec sleep 60", "echo 'a|b'"])
def test_a_queue_that_cannot_be_read_costs_the_place_and_nothing_else(
    commands: Commands, tmp_path: Path, queue: str
) -> None:
    (job,) = ask(recorded(commands, tmp_path / "asked", WAITS + "\\n", queue), "7").jobs.values()
    assert (job.state, job.code, job.position) == (JobState.PENDING, "Priority", None)


def test_an_endless_answer_is_ended_and_is_none(commands: Commands) -> None:
    snapshot = ask(commands(squeue=f"exec yes '{RUNS}'"), "7")
    assert not snapshot.complete and "bytes" in (snapshot.stale_reason or "")


def test_one_answer_serves_all_who_ask_and_a_new_job_is_a_new_question(
    commands: Commands, tmp_path: Path
) -> None:
    log = tmp_path / "asked"
    scheduler = recorded(commands, log, RUNS + "\\n" + RUNS.replace("7|", "8|", 1) + "\\n")

    async def scenario() -> None:
        await asyncio.gather(scheduler.query(["7"]), scheduler.query(["7"]))
        assert (await scheduler.query(["8"])).jobs["8"].state is JobState.RUNNING
        assert (await scheduler.query(["7"])).jobs["7"].state is JobState.RUNNING
        await scheduler.close()

    asyncio.run(scenario())
    first, second = log.read_text().splitlines()
    assert "--jobs=7 " in first + " " and "--jobs=7,8" in second


@pytest.mark.parametrize("qos, partition", [("", "open"), ("moonlight", ""), ("", "")])
def test_what_a_site_leaves_empty_is_left_to_slurm(
    commands: Commands, tmp_path: Path, qos: str, partition: str
) -> None:
    log = tmp_path / "asked"
    commands(sbatch=f'echo "$*" > {log}; echo 7')
    settings = {"slurm_bin": str(tmp_path), "qos": qos, "partition": partition}
    assert submit(SlurmScheduler(MoonlightSite(scheduler="slurm", **settings)), tmp_path) == "7"
    asked = log.read_text()
    assert ("--qos" in asked, "--partition" in asked) == (bool(qos), bool(partition))
    assert "--account" not in asked and "= " not in asked
