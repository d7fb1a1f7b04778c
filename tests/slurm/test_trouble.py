"""A Slurm that is killed, hangs or loses a node: nothing is lost, and everybody is told."""

from __future__ import annotations

import contextlib
import json

import psutil

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.slurm.conftest import MakeCli
from tests.support.waiting import wait_until


def test_a_killed_controller_makes_a_session_stale_not_ended(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    session = alice.wait(alice.create()["session_id"], "running")
    slurm.kill_slurmctld()
    stale = alice.get(session["session_id"])
    assert stale["status"] == "running"
    assert stale["stale_since"] and stale["stale_reason"]
    slurm.start_slurmctld()
    back = alice.wait(session["session_id"], lambda s: s["stale_since"] is None)
    assert back["status"] == "running"


def test_a_hung_controller_neither_loses_nor_doubles_a_submission(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    slurm.freeze_slurmctld()
    created = alice.create("--key", "once")
    assert created["status"] == "pending"
    assert created["reason_code"] == "SubmitUnconfirmed"
    again = alice.create("--key", "once")
    assert again["session_id"] == created["session_id"]
    slurm.thaw_slurmctld()
    alice.wait(created["session_id"], "running")
    by_name = slurm.squeue(f"--name={created['session_id']}", ended=True)
    assert len(by_name) == 1


def test_a_launch_that_is_killed_is_on_record_and_its_job_is_found(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    before = {s["session_id"] for s in alice.sessions()}
    slurm.freeze_slurmctld()
    try:
        launch = alice.start("session", "create")
        process = psutil.Process(launch.pid)
        assert wait_until(lambda: "sbatch" in _children(process))
        launch.kill()
        launch.wait()
    finally:
        slurm.thaw_slurmctld()
    (mine,) = {s["session_id"] for s in alice.sessions()} - before
    ended = alice.wait(mine, lambda s: s["status"] == "running" or s["ended_at"])
    jobs = slurm.squeue(f"--name={mine}", ended=True)
    # What Slurm took after all is one job that is known; else it is said.
    assert (ended["status"] == "running") == (len(jobs) == 1), (ended, jobs)
    assert len(jobs) == 1 or ended["reason_code"] == "SubmitLost"


def test_a_session_stops_even_while_the_controller_hangs(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    session = alice.wait(alice.create()["session_id"], "running")
    slurm.freeze_slurmctld()
    try:
        stopped = alice.stop(session["session_id"])
        assert (stopped["status"], stopped["reason_code"]) == ("cancelled", "StoppedByUser")
    finally:
        slurm.thaw_slurmctld()


def test_a_controller_that_is_away_refuses_a_launch_without_a_trace(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    before = len(alice.sessions())
    slurm.kill_slurmctld()
    try:
        # sbatch itself takes 9 s to say so; meanwhile the session is on record as unconfirmed.
        created = alice.run("session", "create", "--wait")
    finally:
        slurm.start_slurmctld()
    assert created.returncode == 1
    assert "cannot be reached" in created.stdout + created.stderr
    left = [
        s for s in alice.sessions()[: len(alice.sessions()) - before] if s["status"] != "failed"
    ]
    assert left == []


def test_a_lost_node_fails_the_session_and_says_so(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    session = alice.wait(alice.create()["session_id"], "running")
    slurm.kill_node(session["node"], jobs=True)
    # Nobody believes that while the agent's last word is young; it writes no more, so it may be older.
    status = alice.directory(session["session_id"]) / "status.json"
    word = json.loads(status.read_text())
    status.write_text(json.dumps({**word, "beat": "2026-01-01T00:00:00Z"}))
    ended = alice.wait(session["session_id"], "failed")
    assert "node" in ended["reason"].lower()


def test_accounting_tells_the_end_of_a_job_that_the_controller_has_forgotten(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    env = {"MOONLIGHT_HPC_JOB_PROLOGUE": "sleep 4; exit 5"}
    session = alice.create(env=env)
    job_id = session["slurm_job_id"]
    slurm.wait_job(job_id, "FAILED")
    slurm.reconfigure(min_job_age=2)
    try:
        known = lambda: int(job_id) in [job.id for job in slurm.squeue(ended=True)]  # noqa: E731
        # slurmctld forgets on its own clock, a minute or so.
        assert wait_until(lambda: not known(), interval=0.5)
        ended = alice.wait(session["session_id"], "failed")
    finally:
        slurm.reconfigure(min_job_age=300)
    assert ended["reason_code"] == "FAILED"


def _children(process: psutil.Process) -> set[str]:
    names = set()
    for child in process.children():
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            names.add(child.name())
    return names
