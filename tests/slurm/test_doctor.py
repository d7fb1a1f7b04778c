"""`moonlight-hpc doctor` on a real cluster: all green, then one thing wrong at a time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import ensure_users, remove_users, unique_names
from tests.slurm.conftest import MakeCli
from tests.support.cli import UserCli
from tests.support.site import site_env


def red(cli: UserCli, env: dict[str, str] | None = None) -> list[str]:
    """Names of the checks that are not good; each of them says what to do."""
    done = cli.run("doctor", env=env)
    lines = done.stdout.splitlines()
    names = []
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("✗"):
            assert after.startswith("    → "), done.stdout
            names.append(line[2:].split(":")[0])
    assert done.returncode == (1 if names else 0), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return names


def test_an_installation_in_order_is_all_green(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    alice = cli(slurm_users.alice)
    assert red(alice) == []
    assert len(alice.run("doctor").stdout.splitlines()) >= 12


def test_what_is_wrong_is_red_and_nothing_else(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice, carol = cli(slurm_users.alice), cli(slurm_users.carol)
    assert red(carol) == ["QoS moonlight"]
    assert red(alice, {"MOONLIGHT_HPC_QOS": "nosuch"}) == ["QoS nosuch"]
    assert red(alice, {"MOONLIGHT_HPC_PARTITION": "nosuch"}) == ["partition nosuch", "GPUs"]
    assert red(alice, {"MOONLIGHT_HPC_AGENT_COMMAND": '["/nosuch/moonlight-hpc", "agent"]'}) == [
        "agent"
    ]
    assert red(alice, {"MOONLIGHT_HPC_HOST_DESKTOP": "never"}) == ["images"]
    slurm.stop_slurmdbd()
    assert red(alice) == ["QoS moonlight", "accounting"]


def test_a_portals_machine_looks_at_partition_and_qos(slurm: SlurmCluster, tmp_path: Path) -> None:
    """As root, who launches nothing: whether a user may use the QoS is the user's matter."""
    config = tmp_path / "config.py"

    def said(partition: str = "viz", qos: str = "moonlight") -> tuple[bool, str, str]:
        lines = f"c.MoonlightSite.partition, c.MoonlightSite.qos = {partition!r}, {qos!r}\n"
        config.write_text(f'c = get_config()\nc.MoonlightSite.scheduler = "slurm"\n{lines}')
        argv = [str(Path(sys.prefix, "bin/moonlight-hpc")), "doctor", "--portal", "--json"]
        done = subprocess.run(
            [*argv, "--config", str(config)],
            env={**os.environ, **slurm.env},
            capture_output=True,
            text=True,
            check=False,
        )
        (found,) = (f for f in json.loads(done.stdout) if f["name"] == "QoS and partition")
        return found["good"], found["text"], found["fix"]

    assert said()[:2] == (
        True,
        "partition viz: up, 2 nodes; QoS moonlight is there, and it takes that",
    )
    assert re.search("^PropagatePrioProcess *= *0$", slurm.scontrol("show", "config"), re.MULTILINE)
    assert said(partition="", qos="")[0]
    good, text, fix = said(partition="nosuch")
    assert not good and "the cluster has none of that name" in text and "`partition`" in fix
    good, text, fix = said(qos="nosuch")
    assert not good and "QoS nosuch: it does not exist" in text and "create-qos" in fix
    good, text, fix = said(qos="normal")
    assert (
        not good and "takes the QoS moonlight alone" in text and "AllowQos=moonlight,normal" in fix
    )
    slurm.scontrol("update", "PartitionName=viz", "State=DOWN")
    try:
        good, text, fix = said()
    finally:
        slurm.scontrol("update", "PartitionName=viz", "State=UP")
    assert not good and "it is down" in text and "State=UP" in fix
    slurm.stop_slurmdbd()
    good, text, fix = said()
    assert not good and "slurmdbd" in text + fix


def test_a_controller_that_is_away_is_all_that_is_red(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    slurm.freeze_slurmctld()
    assert red(alice) == ["controller"]
    slurm.thaw_slurmctld()
    slurm.kill_slurmctld()
    assert red(alice) == ["controller"]


def test_what_a_site_leaves_to_slurm_is_in_order(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    alice, carol = cli(slurm_users.alice), cli(slurm_users.carol)
    assert red(alice, {"MOONLIGHT_HPC_PARTITION": ""}) == []
    assert red(carol, {"MOONLIGHT_HPC_PARTITION": "open", "MOONLIGHT_HPC_QOS": ""}) == []


def test_records_that_strangers_can_move_are_red(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    alice = cli(slurm_users.alice)
    with tempfile.TemporaryDirectory(prefix="mlt-shared-", dir="/var/tmp") as name:
        shared = Path(name)
        shared.chmod(0o777)
        for setting in ("SESSIONS_DIR", "LOGS_DIR", "SANDBOXES_DIR"):
            assert red(alice, {f"MOONLIGHT_HPC_{setting}": str(shared / "a")}) == ["records"]
        shared.chmod(0o1777)
        assert red(alice, {"MOONLIGHT_HPC_SESSIONS_DIR": str(shared)}) == []


def test_a_node_is_looked_at_with_its_own_checks(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    done = cli(slurm_users.alice).run("doctor", "--node")
    assert done.returncode == 0, done.stdout
    lines = [line for line in done.stdout.splitlines() if not line.startswith("    → ")]
    names = [line[2:].split(":")[0] for line in lines]
    first = ["X server", "desktop", "D-Bus", "selkies", "Sunshine", "Sunshine's web client"]
    then = ["X sockets", "Apptainer", "sound", "OpenGL", "input devices", "shared memory"]
    then += ["port range"]
    assert names == [*first, *then]


def test_a_name_in_upper_case_is_red(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    """sacctmgr knows it in lower case, and sbatch refuses it: measured, not read."""
    name = unique_names(1)[0].capitalize()
    try:
        (user,) = ensure_users([name])
        one = UserCli(user, cli(slurm_users.alice).env)
        one.env |= site_env(user.home)
        slurm.command(["sacctmgr", "-i", "add", "user", name, "account=lab", "qos=moonlight"])
        done = one.run("doctor")
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("✗")]
        assert line.startswith(f"✗ QoS moonlight: Slurm knows {name.lower()}, but not {name}")
        assert "PreserveCaseUser" in done.stdout
        refused = one.run("session", "create")
        assert refused.returncode == 1 and "Slurm said" in refused.stderr
    finally:
        remove_users([name])


def test_a_node_is_asked_what_it_sees(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    alice = cli(slurm_users.alice)
    said = alice.run("doctor").stdout
    assert re.search("[✓!] a node: n[12] sees the records, the home and the agent", said)
    # What the node's kernel says, which is this machine's: where its ports are not kept, it is told.
    here = alice.run("doctor", "--node").stdout
    assert ("! port range" in here) == ("! a node" in said)
    assert ("ip_local_reserved_ports = " in here) == ("On the nodes: Put" in said)
    root = alice.user.home / "sessions" / alice.user.name
    assert list(root.glob(".seen-*")) == []
