"""A session in a job that is already there: `moonlight-hpc here` in real jobs of a real Slurm."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.processes import descendants
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import as_user
from tests.slurm.conftest import MakeCli
from tests.support.cli import Session, UserCli
from tests.support.waiting import GRACE, wait_for

HERE = f"{sys.executable} -m moonlight_spawner here"
NO_SLURM = {"MOONLIGHT_HPC_SLURM_BIN": "/var/empty", "MOONLIGHT_HPC_SCHEDULER": "auto"}


def job_script(cli: UserCli, *lines: str) -> str:
    exports = [f"export {name}={shlex.quote(value)}" for name, value in cli.env.items()]
    return "\n".join(["#!/bin/bash", *exports, *lines, ""])


def of_job(cli: UserCli, job_id: str) -> Session:
    """The session that has come up in a job."""
    return wait_for(lambda: next((s for s in cli.sessions() if s["slurm_job_id"] == job_id), None))


def test_an_array_with_an_owning_session_and_a_guest_where_slurm_has_no_commands(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    """The last task of an array has the array's own number as its id: scancel of that ends all."""
    alice = cli(slurm_users.alice)
    without = " ".join(f"{name}={value}" for name, value in NO_SLURM.items())
    request = '{"image": "host-desktop", "hours": 8, "cpus": 16, "memory_gb": 64, "gpus": 0}'
    script = job_script(
        alice,
        f"if [ $SLURM_ARRAY_TASK_ID = 1 ]; then {without} {HERE} & sleep 600; fi",
        f"exec {HERE} --own --door ood --request - <<< '{request}'",
    )
    options = ["--array=1-2", "--cpus-per-task=3", "--mem=1500M", "--gres=gpu:1", "--time=20"]
    array = slurm.submit(slurm_users.alice, script, *options)

    owning = alice.wait(of_job(alice, f"{array}_2")["session_id"], "running")
    job = slurm.job(f"{array}_2")
    assert (owning["way"], owning["door"]) == ("owning", "ood")
    allocation = owning["allocation"]
    assert allocation["node"] == owning["node"] == job["NodeList"]
    assert (allocation["cpus"], allocation["memory_gb"], allocation["gpus"]) == (3, 1.46, 1)
    assert owning["started_at"] < owning["ends_at"] < allocation["ends_at"]  # in order, before it
    assert (owning["request"]["cpus"], owning["request"]["gpus"]) == (3, 1)
    assert owning["request"]["hours"] < 0.35
    assert owning["stale_since"] is None

    guest = alice.wait(of_job(alice, f"{array}_1")["session_id"], "running")
    assert (guest["way"], guest["door"]) == ("guest", "here")
    has = guest["allocation"]
    assert (has["node"], has["cpus"], has["memory_gb"], has["gpus"]) == (guest["node"], 3, 1.46, 1)
    # Slurm 22.05 does not tell its end in the job's environment; the agent asks for it all the same.
    assert guest["ends_at"] or any(one["code"] == "EndUnknown" for one in guest["note_codes"])

    # Seen also where the cluster cannot be asked, without a doubt about it.
    elsewhere = alice.get(guest["session_id"], env={"MOONLIGHT_HPC_SCHEDULER": "local"})
    assert (elsewhere["status"], elsewhere["stale_since"]) == ("running", None)

    assert alice.stop(owning["session_id"])["reason_code"] == "StoppedByUser"
    slurm.wait_job(f"{array}_2", ("CANCELLED", "COMPLETED"))
    assert slurm.job(f"{array}_1")["JobState"] == "RUNNING"

    slurm.command(["scancel", f"{array}_1"])
    ended = alice.wait(guest["session_id"], lambda s: s["ended_at"])
    assert ended["reason_code"] in ("JobEnded", "EndedThere")
    assert "job that the desktop ran in ended" in ended["reason"]


@contextlib.contextmanager
def salloc(argv: list[str], **options: Any) -> Iterator[None]:
    """An interactive job; it ends with its shell, which reads from us, at the latest with the test.

    Not by a signal: salloc 22.05 gives the job back then, and waits for its command for ever.
    """
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, **options)
    assert process.stdin
    try:
        yield
    finally:
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        for pid in (*descendants(process.pid), process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def test_a_guest_of_an_interactive_job_is_stopped_and_the_job_goes_on(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    """The shell of salloc is not on the job's node: the desktop has to be."""
    alice = cli(slurm_users.alice)
    after = slurm_users.alice.home / "after"
    shell = f"{HERE} --door hub < /dev/null; echo $? > {after}; exec cat"
    argv = ["salloc", "--qos=moonlight", "--gres=gpu:1", "--cpus-per-task=2", "bash", "-c", shell]
    options = as_user(slurm_users.alice, {**alice.env, **slurm.env})
    known = {s["session_id"] for s in alice.sessions()}  # other tests' of this user
    with salloc(argv, **options):
        found = wait_for(lambda: {s["session_id"] for s in alice.sessions()} - known)
        guest = alice.wait(found.pop(), "running")
        assert guest["way"] == "guest"
        assert guest["allocation"]["cpus"] == 2
        job = slurm.job(guest["slurm_job_id"])
        assert guest["node"] == job["NodeList"]
        ended = alice.stop(guest["session_id"])
        assert ended["reason_code"] == "StoppedByUser"
        assert wait_for(lambda: after.exists() and after.read_text()).strip() == "0"
        assert slurm.job(guest["slurm_job_id"])["JobState"] == "RUNNING"


@pytest.fixture
def closed(slurm_users: SlurmUsers) -> Iterator[Path]:
    """A sessions directory that is there and cannot be written to."""
    directory = slurm_users.alice.home / "closed" / slurm_users.alice.name
    directory.mkdir(parents=True)
    directory.parent.chmod(0o755)
    yield directory.parent


def test_what_cannot_start_is_told_at_once_by_status_and_json(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli, closed: Path
) -> None:
    alice = cli(slurm_users.alice)
    before = len(alice.sessions())
    step = ["srun", "--qos=moonlight", "--quiet", "--ntasks=1"]

    def here(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        argv = [*step, *HERE.split(), "--json", *arguments]
        options = {"env": {**alice.env, **env}, "input": '{"hours": 99, "cpus": "x"}'}
        return slurm.run_as(slurm_users.alice, argv, **options)

    wrong = here("--request", "-")
    assert wrong.returncode == 2, wrong.stderr
    error = json.loads(wrong.stdout)["error"]
    assert error["code"] == "invalid_request"
    assert [field["field"] for field in error["fields"]] == ["hours", "cpus"]
    assert "allows 0.1 to 8" in error["fields"][0]["message"]

    unwritable = here(MOONLIGHT_HPC_SESSIONS_DIR=str(closed))
    assert unwritable.returncode == 1
    told = json.loads(unwritable.stdout)
    assert told["error"]["code"] in ("unsafe_directory", "records_unwritable")
    assert str(closed) in told["message"]

    outside = slurm.run_as(slurm_users.alice, [*HERE.split()], env=alice.env)
    assert outside.returncode == 1
    assert "This is no job of Slurm" in outside.stderr
    named = {**alice.env, "SLURM_JOB_ID": "4000000", "SLURMD_NODENAME": "n1"}
    gone = slurm.run_as(slurm_users.alice, [*HERE.split()], env=named)
    assert "4000000, which the environment names, is unknown to Slurm" in gone.stderr
    assert len(alice.sessions()) == before
