"""deploy/slurm/create-qos against a real slurmdbd."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cluster.accounting import CREATE_QOS
from tests.cluster.daemon import CLEAN_ENVIRONMENT
from tests.cluster.errors import CommandFailed
from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster

pytestmark = pytest.mark.slow

Finished = subprocess.CompletedProcess[str]
FIELDS = "format=Name,MaxTRESPU,MaxWall,GraceTime,Priority,Flags"
SLEEP = "#!/bin/sh\nexec sleep 600\n"
AS_IT_SHOULD_BE = "moonlight|gres/gpu=2|08:00:00|00:01:00|100|DenyOnLimit"


class CreateQos:
    """Runs the program as an administrator does."""

    def __init__(self, cluster: SlurmCluster) -> None:
        self.cluster = cluster

    def __call__(self, *options: str) -> Finished:
        return self.cluster.command([sys.executable, str(CREATE_QOS), *options], check=False)

    def stored(self, name: str = "moonlight") -> str:
        return self.cluster.sacctmgr("show", "qos", name, FIELDS).strip()


@pytest.fixture
def create_qos(slurm_cluster: SlurmCluster) -> Iterator[CreateQos]:
    """The program; whatever a test changed by hand is repaired by it afterwards."""
    program = CreateQos(slurm_cluster)
    yield program
    repaired = program("--account", "lab")
    assert repaired.returncode == 0, repaired.stderr


def test_the_qos_of_a_new_cluster_is_as_it_should_be(create_qos: CreateQos) -> None:
    assert create_qos.stored() == AS_IT_SHOULD_BE
    checked = create_qos("--check", "--account", "lab")
    assert checked.returncode == 0
    assert checked.stdout == "QoS moonlight is as it should be\n"
    assert checked.stderr == "", "partition viz and slurm.conf deserve no warning"


def test_a_second_run_has_nothing_to_do(create_qos: CreateQos) -> None:
    again = create_qos("--account", "lab")
    assert (again.returncode, again.stdout) == (
        0,
        "nothing to do: QoS moonlight is as it should be\n",
    )


@pytest.mark.parametrize(
    "drift",
    [
        {
            "MaxTRESPerUser=gres/gpu=5": "MaxTRESPerUser: expected gres/gpu=2, found gres/gpu=5",
            "MaxWall=2:00:00": "MaxWall: expected 08:00:00, found 02:00:00",
            "GraceTime=90000": "GraceTime: expected 00:01:00, found 1-01:00:00",
            "Priority=7": "Priority: expected 100, found 7",
            "Flags-=DenyOnLimit": "Flags: expected DenyOnLimit, found no flags",
        },
        {
            "MaxTRESPerUser=gres/gpu=-1": "MaxTRESPerUser: expected gres/gpu=2, found nothing",
            "MaxWall=-1": "MaxWall: expected 08:00:00, found nothing",
            "Flags=NoReserve": "Flags: expected DenyOnLimit, found NoReserve",
        },
        {"MaxWall=7:59:00": "MaxWall: expected 08:00:00, found 07:59:00"},
    ],
    ids=["changed", "removed", "one"],
)
def test_drift_is_reported_and_repaired(create_qos: CreateQos, drift: dict[str, str]) -> None:
    set_by_hand(create_qos, *drift)
    checked = create_qos("--check")
    assert checked.returncode == 1
    assert checked.stdout.splitlines() == [f"QoS moonlight: {each}" for each in drift.values()]
    repaired = create_qos()
    assert repaired.returncode == 0, repaired.stderr
    assert create_qos("--check").returncode == 0
    set_by_hand(create_qos, "Flags-=NoReserve")
    assert create_qos.stored() == AS_IT_SHOULD_BE


def set_by_hand(create_qos: CreateQos, *settings: str) -> None:
    create_qos.cluster.sacctmgr("modify", "qos", "moonlight", "set", *settings)


def test_what_the_site_added_stays(create_qos: CreateQos) -> None:
    set_by_hand(create_qos, "MaxTRESPerUser=cpu=32,gres/gpu=4", "Flags+=NoReserve")
    assert create_qos().returncode == 0
    assert create_qos.stored() == (
        "moonlight|cpu=32,gres/gpu=2|08:00:00|00:01:00|100|DenyOnLimit,NoReserve"
    )
    set_by_hand(create_qos, "MaxTRESPerUser=cpu=-1", "Flags-=NoReserve")


def test_every_value_is_an_option(create_qos: CreateQos) -> None:
    options = [
        "--name=other",
        "--gpus-per-user=1",
        "--max-wall=1-12:00:00",
        "--grace-time=30",
        "--priority=5",
        "--no-deny-on-limit",
        "--partition=open",
    ]
    try:
        made = create_qos(*options)
        assert made.returncode == 0, made.stderr
        assert create_qos.stored("other") == "other|gres/gpu=1|1-12:00:00|00:00:30|5|"
        assert "nothing to do" in create_qos(*options).stdout
    finally:
        create_qos.cluster.sacctmgr("delete", "qos", "other", check=False)


def test_a_dry_run_prints_the_commands_and_runs_none(create_qos: CreateQos) -> None:
    set_by_hand(create_qos, "MaxWall=2:00:00")
    dry = create_qos("--dry-run")
    assert dry.stdout == "sacctmgr -i modify qos moonlight set MaxWall=08:00:00\n"
    dry = create_qos("--dry-run", "--name=new")
    assert dry.stdout == (
        "sacctmgr -i add qos new 'Description=GPU desktop sessions' MaxTRESPerUser=gres/gpu=2 "
        "MaxWall=08:00:00 GraceTime=60 Priority=100 Flags=DenyOnLimit\n"
    )
    assert "MaxWall" in create_qos("--check").stdout
    assert create_qos.stored("new") == ""


def test_accounts_and_users_are_given_the_qos(
    create_qos: CreateQos, slurm_users: SlurmUsers
) -> None:
    cluster, carol = create_qos.cluster, slurm_users.carol.name
    cluster.sacctmgr("modify", "account", "lab", "set", "qos-=moonlight")
    checked = create_qos("--check", "--account=lab", f"--user={carol}")
    assert checked.returncode == 1
    assert checked.stdout.splitlines() == [
        "account lab: QOS: expected moonlight among them, found normal",
        f"user {carol}: QOS: expected moonlight among them, found normal",
    ]
    try:
        assert create_qos("--account=lab", f"--user={carol}").returncode == 0
        assert create_qos("--check", "--account=lab", f"--user={carol}").returncode == 0
        rows = cluster.sacctmgr("show", "assoc", "format=Account,User,QOS").splitlines()
        assert f"lab|{slurm_users.alice}|moonlight,normal" in rows, "inherited from the account"
        assert f"noqos|{carol}|moonlight,normal" in rows
        assert "noqos||normal" in rows, "the account of a named user is left alone"
    finally:
        cluster.sacctmgr("modify", "user", carol, "set", "qos-=moonlight")


def test_a_user_with_a_list_of_its_own_is_pointed_out(
    create_qos: CreateQos, slurm_users: SlurmUsers
) -> None:
    bob = slurm_users.bob.name
    create_qos.cluster.sacctmgr("modify", "user", bob, "set", "qos=normal")
    try:
        checked = create_qos("--check", "--account=lab")
        assert checked.returncode == 0
        assert f"user {bob} of account lab has a QoS list of its own (normal)" in checked.stderr
        assert f"fix: create-qos --user {bob}" in checked.stderr
    finally:
        # An empty list: inherit from the account again.
        create_qos.cluster.sacctmgr("modify", "user", bob, "set", "qos=")


def test_gpu_without_gres_is_refused_by_slurm(slurm_cluster: SlurmCluster) -> None:
    with pytest.raises(CommandFailed, match="no TRES known by type gpu"):
        slurm_cluster.sacctmgr("modify", "qos", "moonlight", "set", "MaxTRESPerUser=gpu=2")


def test_a_partition_that_lets_the_limits_be_bypassed_is_pointed_out(
    create_qos: CreateQos,
) -> None:
    checked = create_qos("--check", "--partition=open")
    assert checked.returncode == 0
    assert "partition open allows the QoS ALL: a job with another QoS" in checked.stderr
    assert "AllowQos=moonlight on the line PartitionName=open" in checked.stderr
    assert "partition nosuch does not exist" in create_qos("--partition=nosuch").stderr


def test_missing_enforcement_is_pointed_out(create_qos: CreateQos) -> None:
    create_qos.cluster.reconfigure(enforce_part_limits="NO")
    try:
        assert "fix: EnforcePartLimits=ALL" in create_qos("--check").stderr
    finally:
        create_qos.cluster.reconfigure(enforce_part_limits="ALL")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cluster=nosuch"], "error: cluster nosuch is not registered in slurmdbd (known: lab)"),
        (["--account=nosuch"], "error: account nosuch is not known on cluster lab"),
        (["--user=nosuch"], "error: user nosuch is not known on cluster lab"),
        (["--max-wall=soon"], "'soon' is not a time"),
        (["--gpus-per-user=-1"], "'-1' is not a whole number"),
        (["--account=a,b"], "'a,b' is not a name"),
    ],
)
def test_what_cannot_be_is_said(create_qos: CreateQos, options: list[str], message: str) -> None:
    finished = create_qos("--check", *options)
    assert finished.returncode == 2
    assert message in finished.stderr


def test_slurmdbd_down(slurm: SlurmCluster) -> None:
    slurm.stop_slurmdbd()
    finished = CreateQos(slurm)("--check")
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: slurmdbd does not answer: start it")
    assert "Connection refused" in finished.stderr


def test_an_ordinary_user_may_look_but_not_change(
    create_qos: CreateQos, slurm_users: SlurmUsers
) -> None:
    def as_alice(*options: str) -> Finished:
        # The administrator's own Python: root's may lie where others cannot go.
        argv = ["/usr/bin/env", "python3", "-", *options]
        script = CREATE_QOS.read_text(encoding="utf-8")
        return create_qos.cluster.run_as(slurm_users.alice, argv, input=script)

    assert as_alice("--check").returncode == 0
    refused = as_alice("--priority=5")
    assert refused.returncode == 2
    assert "error: you are not permitted to change this" in refused.stderr
    assert create_qos.stored() == AS_IT_SHOULD_BE


def test_without_slurm() -> None:
    finished = subprocess.run(
        [sys.executable, str(CREATE_QOS)],
        env={**CLEAN_ENVIRONMENT, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: sacctmgr not found: install Slurm's clients")


class TestDenyOnLimit:
    """Why the flag is the default: it refuses what can never start, and nothing else."""

    def test_a_job_over_the_limit_for_now_is_queued(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers
    ) -> None:
        running = [slurm.submit(slurm_users.alice, SLEEP, "--gres=gpu:1") for _ in range(2)]
        for job in running:
            slurm.wait_job(job, "RUNNING")
        waiting = [slurm.submit(slurm_users.alice, SLEEP, f"--gres=gpu:{n}") for n in (1, 2)]
        for job in waiting:
            slurm.wait_reason(job, "QOSMaxGRESPerUser")
        slurm.command(["scancel", *map(str, running)])
        slurm.wait_job(waiting[0], "RUNNING")

    @pytest.mark.parametrize(
        ("option", "reason"),
        [
            ("--gres=gpu:3", "QOSMaxGRESPerUser"),
            ("--time=9:00:00", "QOSMaxWallDurationPerJobLimit"),
        ],
    )
    def test_a_job_that_can_never_start_is_refused(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers, option: str, reason: str
    ) -> None:
        with pytest.raises(CommandFailed, match=f"sbatch: error: {reason}"):
            slurm.submit(slurm_users.alice, SLEEP, option)

    def test_without_the_flag_it_waits_for_ever(
        self, slurm: SlurmCluster, slurm_users: SlurmUsers, create_qos: CreateQos
    ) -> None:
        assert create_qos("--no-deny-on-limit").returncode == 0
        job = slurm.submit(slurm_users.alice, SLEEP, "--gres=gpu:3")
        slurm.wait_reason(job, "QOSMaxGRESPerUser")
