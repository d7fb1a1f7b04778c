"""Sessions as jobs of a real Slurm, launched by ordinary users."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from moonlight_spawner.model.records import AgentStatus

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.slurm import measured
from tests.slurm.conftest import MakeCli
from tests.support.cli import Session
from tests.support.waiting import wait_until

STEPS = ["claim", "xserver", "desktop", "host", "picture", "gateway"]


def test_a_session_is_a_job_with_the_qos_and_ends_when_it_is_stopped(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    created = alice.create()
    assert created["status"] in ("pending", "starting")
    session = alice.wait(created["session_id"], "running")
    job = slurm.job(session["slurm_job_id"])
    assert job["QOS"] == "moonlight"
    assert job["Partition"] == "viz"
    assert job["UserId"].startswith(slurm_users.alice.name + "(")
    assert job["JobName"] == session["session_id"]
    assert job["Requeue"] == "0"
    assert "gpu" in job.get("TresPerNode", "") + job.get("TRES", "")
    assert session["node"] == job["NodeList"]
    assert [step["id"] for step in session["steps"]] == STEPS
    assert {step["state"] for step in session["steps"]} == {"done"}
    assert session["stale_since"] is None

    measured.beside_vnc(alice, session)
    stopped = alice.stop(session["session_id"])
    assert (stopped["status"], stopped["reason_code"]) == ("cancelled", "StoppedByUser")
    slurm.wait_job(session["slurm_job_id"], ("CANCELLED", "COMPLETED"))


def test_the_third_gpu_waits_and_says_why_and_starts_when_one_is_free(
    slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    first = alice.create("--gpus", "1")["session_id"]
    second = alice.create("--gpus", "1")["session_id"]
    third = alice.create("--gpus", "1")["session_id"]
    alice.wait(first, "running")
    waiting = alice.wait(third, lambda s: (s["queue"] or {}).get("code") == "QOSMaxGRESPerUser")
    assert waiting["status"] == "pending"
    assert waiting["queue"]["position"] == 1
    assert "as many GPUs as QoS moonlight allows" in waiting["reason"]
    alice.stop(first)
    alice.wait(third, "running")
    alice.stop(second)
    alice.stop(third)


def test_a_user_without_the_qos_is_told_whom_to_ask(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    carol = cli(slurm_users.carol)
    refused = carol.run("session", "create")
    assert refused.returncode == 1
    assert "may not use QoS moonlight" in refused.stderr
    assert "Ask your administrators" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert carol.sessions() == []


@pytest.mark.parametrize(
    ("env", "arguments", "words"),
    [
        ({"MOONLIGHT_HPC_MAX_HOURS": "20"}, ("--hours", "12"), "longer than QoS moonlight"),
        ({"MOONLIGHT_HPC_PARTITION": "nosuch"}, (), "Partition nosuch does not exist"),
        ({"MOONLIGHT_HPC_MAX_GPUS": "9"}, ("--gpus", "9"), "Ask for less"),
        ({"MOONLIGHT_HPC_MAX_MEMORY_GB": "900"}, ("--memory-gb", "900"), "900 GB"),
        ({"MOONLIGHT_HPC_SBATCH_OPTIONS": '["--nosuch"]'}, (), "sbatch_options"),
        ({"MOONLIGHT_HPC_ACCOUNT": "nosuch"}, (), "account nosuch"),
    ],
    ids=["too long", "partition", "too many GPUs", "memory", "option", "account"],
)
def test_what_slurm_refuses_is_said_in_words_and_leaves_nothing(
    env: dict[str, str],
    arguments: tuple[str, ...],
    words: str,
    slurm_users: SlurmUsers,
    cli: MakeCli,
) -> None:
    alice = cli(slurm_users.alice)
    before = len(alice.sessions())
    refused = alice.run("session", "create", *arguments, env=env)
    assert refused.returncode == 1, refused.stdout
    assert words in refused.stderr
    assert "Slurm said" in refused.stderr
    assert len(alice.sessions()) == before


def test_scancel_from_outside_is_told_from_a_stop(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    session = alice.wait(alice.create()["session_id"], "running")
    slurm.command(["scancel", session["slurm_job_id"]])
    ended = alice.wait(session["session_id"], "cancelled")
    assert ended["reason_code"] == "CancelledOutside"
    assert "scancel" in ended["reason"]


def test_a_pending_session_can_be_stopped(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    slurm.scontrol("update", "PartitionName=viz", "State=DOWN")
    try:
        waiting = alice.create()
        waiting = alice.wait(
            waiting["session_id"], lambda s: (s["queue"] or {}).get("code") == "PartitionDown"
        )
        assert "switched off by the administrators" in waiting["reason"]
        ended = alice.stop(waiting["session_id"])
        assert ended["status"] == "cancelled"
    finally:
        slurm.scontrol("update", "PartitionName=viz", "State=UP")


def test_one_that_is_to_begin_later_waits_for_its_time_and_can_be_stopped(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    begin = datetime.now().astimezone() + timedelta(hours=30)
    mail = {"MOONLIGHT_HPC_MAIL": "1", "MOONLIGHT_HPC_MAIL_DOMAIN": "site.org"}
    asked = ("--begin", begin.isoformat(), "--mail")
    session = alice.create(*asked, env=mail)
    session = alice.wait(
        session["session_id"], lambda s: (s["queue"] or {}).get("code") == "BeginAsked"
    )
    start = datetime.fromisoformat(session["queue"]["estimated_start"])
    assert abs(start - begin) < timedelta(seconds=2)
    words = slurm.job(session["slurm_job_id"])
    there = datetime.fromisoformat(words["StartTime"]).astimezone()
    assert abs(there - begin) < timedelta(seconds=60), "by whatever zone Slurm has"
    assert (words["MailUser"], words["MailType"]) == (f"{alice.user}@site.org", "BEGIN")
    assert alice.stop(session["session_id"])["status"] == "cancelled"


ONE_MINUTE = {"MOONLIGHT_HPC_MAX_HOURS": "0.017", "MOONLIGHT_HPC_HOURS": "0.017"}


def ends_at(session: Session) -> datetime:
    return datetime.fromisoformat(session["ends_at"])


def test_the_time_limit_ends_a_session_as_such_at_the_time_that_was_shown(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    session = alice.wait(alice.create(env=ONE_MINUTE)["session_id"], lambda s: s["ends_at"])
    limit = datetime.fromisoformat(session["started_at"]) + timedelta(minutes=1)
    assert session["started_at"] < session["ends_at"] and ends_at(session) < limit
    ended = alice.wait(session["session_id"], "timeout")
    assert ended["reason_code"] == "TimeLimit" and "time limit" in ended["reason"]
    log = alice.run("session", "logs", session["session_id"]).stdout
    assert datetime.fromisoformat(ended["ended_at"]) < limit, log  # before Slurm would have done it


def test_a_limit_that_an_administrator_changes_counts(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    session = alice.wait(alice.create(env=ONE_MINUTE)["session_id"], lambda s: s["ends_at"])
    more = ["scontrol", "update", f"JobId={session['slurm_job_id']}", "TimeLimit=3"]
    refused = slurm.run_as(alice.user, more)
    assert refused.returncode == 1 and "permission denied" in refused.stderr, "docs/operations.md"
    slurm.scontrol(*more[1:])
    later = ends_at(session) + timedelta(minutes=2)
    said = alice.directory(session["session_id"]) / "status.json"

    def by_the_agent() -> bool:
        status = AgentStatus.model_validate_json(said.read_bytes() if said.exists() else b"{}")
        return bool(status.ends_at and status.ends_at >= later)

    assert wait_until(by_the_agent, interval=0.2)
    assert ends_at(alice.get(session["session_id"])) >= later


def test_a_job_that_dies_at_once_points_to_its_log(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    alice = cli(slurm_users.alice)
    env = {"MOONLIGHT_HPC_JOB_PROLOGUE": "echo no such module >&2; exit 3"}
    session = alice.create(env=env)
    ended = alice.wait(session["session_id"], "failed")
    assert "no such module" in ended["reason"] and "Look at its log" in ended["reason"]
    assert "no such module" in alice.run("session", "logs", session["session_id"]).stdout


def test_the_submitters_environment_stays_out_of_the_job(
    slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    prologue = {
        "MOONLIGHT_HPC_JOB_PROLOGUE": "env > $HOME/job.env; exit 1",
        "MOONLIGHT_HPC_JOB_ENVIRONMENT": '{"SITE_VALUE": "a b,c\'d$(id)"}',
        "JUPYTERHUB_API_TOKEN": "a-secret",
    }
    session = alice.create(env=prologue)
    alice.wait(session["session_id"], "failed")
    job = (slurm_users.alice.home / "job.env").read_text()
    assert "a-secret" not in job
    assert "SITE_VALUE=a b,c'd$(id)" in job
    assert "SLURM_JOB_ID=" in job
