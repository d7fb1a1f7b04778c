"""What Slurm says of a job and what becomes of its session: no end that is none, and none for good."""

from __future__ import annotations

import json
import shutil
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.slurm.conftest import MakeCli
from tests.support.cli import UserCli

LATER = {"MOONLIGHT_HPC_SBATCH_OPTIONS": '["--begin=now+20minutes"]'}


@pytest.fixture
def wrapped(slurm_users: SlurmUsers) -> Path:
    """Slurm's commands behind scripts, as some sites have them."""
    directory = slurm_users.alice.home / "bin"
    directory.mkdir()
    for name in ("sbatch", "squeue", "scancel", "sacct", "scontrol"):
        wrap(directory, name, f'exec {shutil.which(name)} "$@"')
    return directory


def wrap(directory: Path, name: str, script: str) -> None:
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


def test_an_answer_that_cannot_be_read_ends_no_session(
    slurm_users: SlurmUsers, cli: MakeCli, wrapped: Path
) -> None:
    """Without accounting one line of garbage was `failed JobUnknown` for good."""
    alice = cli(slurm_users.alice)
    session_id = alice.create(env=LATER)["session_id"]
    submitted_long_ago(alice, session_id)
    env = {"MOONLIGHT_HPC_SLURM_BIN": str(wrapped)}
    wrap(wrapped, "sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    for answer in ("echo '(garbage)'", "echo '<html>502 Bad Gateway</html>'", "printf '1|RUNN'"):
        wrap(wrapped, "squeue", answer)
        for _ in range(2):
            session = alice.get(session_id, env)
            assert (session["status"], session["stale_code"]) == ("pending", "SchedulerUnclear")
    wrap(wrapped, "squeue", "exit 0")
    assert alice.get(session_id, env)["status"] == "pending", "empty once, and not yet believed"
    wrap(wrapped, "squeue", f'exec {shutil.which("squeue")} "$@"')
    back = alice.get(session_id, env)
    assert (back["status"], back["stale_since"]) == ("pending", None)
    assert not (alice.directory(session_id) / "missed.json").exists()
    assert alice.stop(session_id)["status"] == "cancelled"


def submitted_long_ago(alice: UserCli, session_id: str) -> None:
    path = alice.directory(session_id) / "job.json"
    job = json.loads(path.read_text())
    job["submitted_at"] = (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat()
    path.write_text(json.dumps(job))


def test_a_session_whose_reservation_is_over_says_so_and_waits(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    course = f"course{time.monotonic_ns()}"
    start = ["starttime=now", "duration=10", "nodes=n1", f"users={alice.user.name}"]
    slurm.scontrol("create", "reservation", f"ReservationName={course}", *start)
    options = json.dumps([f"--reservation={course}", "--begin=now+20minutes"])
    session_id = alice.create(env={"MOONLIGHT_HPC_SBATCH_OPTIONS": options})["session_id"]
    soon, update = 1, ["scontrol", "update", f"ReservationName={course}"]
    told = lambda: (datetime.now() + timedelta(seconds=soon)).isoformat(timespec="seconds")  # noqa: E731
    while slurm.command([*update, f"EndTime={told()}"], check=False).returncode:
        soon *= 2  # Slurm takes none that is over when it hears of it
    deleted = lambda s: (s["queue"] or {}).get("code") == "ReservationDeleted"  # noqa: E731
    session = alice.wait(session_id, deleted)
    assert session["status"] == "pending"
    assert "does not exist any more" in session["reason"]
    assert alice.stop(session_id)["reason_code"] == "StoppedByUser"


def test_a_job_that_was_put_back_into_the_queue_by_force_can_be_stopped(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    """Its session has ended by its agent's word; the job that comes again is nobody's otherwise."""
    alice = cli(slurm_users.alice)
    session_id = alice.create()["session_id"]
    job_id = alice.wait(session_id, "running")["slurm_job_id"]
    slurm.scontrol("update", f"JobId={job_id}", "Requeue=1")
    slurm.scontrol("requeue", job_id)
    ended = alice.wait(session_id, lambda s: s["ended_at"])
    assert ended["reason_code"] == "CancelledOutside"
    slurm.wait_job(job_id, "PENDING")
    told = alice.run("session", "stop", session_id)
    assert told.returncode == 0 and f"still had its job {job_id}" in told.stdout, told.stdout
    slurm.wait_job(job_id, "CANCELLED")
    assert (alice.directory(session_id) / "stop.json").exists(), "its agent reads it, if it starts"
    assert "still had" not in alice.run("session", "stop", session_id).stdout


def test_a_job_that_slurmctld_has_forgotten_is_lost_and_is_said_to_be(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    """sacct says RUNNING for good of it: a runaway job."""
    alice = cli(slurm_users.alice)
    session_id = alice.create()["session_id"]
    job_id = alice.wait(session_id, "running")["slurm_job_id"]
    slurm.kill_slurmctld(saved=False)
    for file in (slurm.directory / "state").glob("job_state*"):
        file.unlink()
    slurm.start_slurmctld()
    assert not slurm.squeue(ended=True)
    ended = alice.stop(session_id)
    assert (ended["status"], ended["reason_code"]) == ("cancelled", "StoppedByUser")
    assert job_id in ended["slurm_job_id"]


@pytest.mark.parametrize(
    ("env", "qos", "partition"),
    [
        ({"MOONLIGHT_HPC_QOS": "", "MOONLIGHT_HPC_PARTITION": "open"}, "normal", "open"),
        ({"MOONLIGHT_HPC_PARTITION": ""}, "moonlight", "viz"),
    ],
    ids=["no QoS", "no partition"],
)
def test_what_a_site_leaves_empty_is_slurms_default(
    slurm: SlurmCluster,
    slurm_users: SlurmUsers,
    cli: MakeCli,
    env: dict[str, str],
    qos: str,
    partition: str,
) -> None:
    alice = cli(slurm_users.alice)
    session = alice.create(env={**LATER, **env})
    job = slurm.job(session["slurm_job_id"])
    assert (job["QOS"], job["Partition"]) == (qos, partition)
    alice.stop(session["session_id"])
