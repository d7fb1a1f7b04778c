"""`moonlight-hpc doctor` on a real cluster: all green, then one thing wrong at a time."""

from __future__ import annotations

import re
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
