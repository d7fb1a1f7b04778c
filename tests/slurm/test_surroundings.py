"""Slurm's commands in a desktop, and what comes of the surroundings a job is submitted from."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.sessions import DeskSession
from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import as_user, run_as
from tests.slurm.conftest import MakeCli
from tests.support.cli import UserCli
from tests.support.waiting import PATIENCE, wait_for

# A Jupyter server that is a job itself: with variables that exclude those of the session's job.
OUTER = """#!/bin/bash
#SBATCH --partition=open --mem-per-cpu=300M --cpus-per-task=2 --time=10 --output=/dev/null
export SQUEUE_FORMAT=%i SBATCH_QOS=nosuch SLURM_CLUSTERS=nosuch SLURM_HINT=nomultithread
export SLURM_CPU_BIND=quiet,mask_cpu:0x1 SLURM_STEP_ID=0
{python} -m moonlight_spawner session create --json > {told}.new 2> {told}.errors
mv {told}.new {told}
"""


@pytest.fixture
def bad_profile(slurm_users: SlurmUsers) -> Iterator[Path]:
    """What a login of alice sets: another Python's modules, before the agent speaks."""
    home = slurm_users.alice.home
    package = home / "lib/python/pydantic"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('another pydantic')\n")
    profile = home / ".bash_profile"
    lines = ["PYTHONPATH=$HOME/lib/python", "PYTHONHOME=/opt/othersite/python", "PYTHONSAFEPATH="]
    profile.write_text("".join(f"export {line}\n" for line in lines))
    yield profile
    profile.unlink()


def test_a_job_step_from_the_desktop_of_a_server_in_a_job(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli, bad_profile: Path
) -> None:
    alice = cli(slurm_users.alice)
    told = alice.user.home / "told"
    script = OUTER.format(python=sys.executable, told=told)
    # This one's variables are the user's own business: a server is started with them.
    run_as(alice.user, ["sbatch", "--export=ALL"], env=alice.env, input=script, check=True)
    wait_for(told.exists)
    assert told.read_text(), Path(f"{told}.errors").read_text()
    session_id = json.loads(told.read_text())["session_id"]
    session = alice.wait(session_id, "running")

    env = DeskSession(alice.user, alice.directory(session_id)).desktop_environment()
    assert env["SLURM_JOB_ID"] == session["slurm_job_id"]
    for name in ("SLURM_EXPORT_ENV", "SLURM_GET_USER_ENV", "SLURM_TIME_FORMAT", "SLURM_HINT"):
        assert name not in env
    assert "SLURM_MEM_PER_CPU" not in env and "SLURM_CPU_BIND" not in env

    def in_desktop(*argv: str) -> str:
        done = subprocess.run(
            argv, **{**as_user(alice.user), "env": env}, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (argv, done.stderr)
        return done.stdout.strip()

    assert in_desktop("srun", "hostname")
    shown = in_desktop("srun", "/bin/sh", "-c", "echo $DISPLAY $SLURM_JOB_ID")
    assert shown == f"{env['DISPLAY']} {session['slurm_job_id']}"
    start = in_desktop(
        "squeue", "--me", "--noheader", "--format=%S", f"--jobs={env['SLURM_JOB_ID']}"
    )
    assert "T" in start and "-" in start, start  # 2026-11-28T00:00:00, no epoch seconds
    # Its own words, as a login of the user has them: in terminals, not in the desktop.
    assert "PYTHONPATH" not in env
    assert f"PYTHONPATH={alice.user.home}/lib/python" in in_desktop(env["SHELL"], "-c", "env")


class OnOwnDisk:
    """A login host with a disk of its own at /srv, which no node sees."""

    def __init__(self, cli: UserCli):
        self.cli = cli
        self.env = {**cli.env, "MOONLIGHT_HPC_SESSIONS_DIR": "/srv/data/moonlight-hpc/sessions"}

    def run(self, *commands: str) -> list[subprocess.CompletedProcess[str]]:
        """`moonlight-hpc` once for each of the commands, on the one host."""
        user = self.cli.user
        script = f"""
            mount -t tmpfs -o mode=755 tmpfs /srv && install -d -o {user.uid} -m 700 /srv/data
            while read -r command; do
                setpriv --reuid={user.uid} --regid={user.gid} --init-groups \\
                    {sys.executable} -m moonlight_spawner $command > /tmp/out 2>&1
                echo "$? $(base64 -w0 /tmp/out)"
            done
        """
        script = script.replace("/tmp/out", f"/srv/out-{os.getpid()}")
        argv = ["unshare", "--mount", "--propagation=private", "/bin/sh", "-c", script]
        env = {**as_user(user, self.env)["env"]}
        done = subprocess.run(
            argv, input="\n".join(commands) + "\n", env=env, cwd="/", text=True,
            capture_output=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        answers = [line.split(" ", 1) for line in done.stdout.splitlines()]
        return [
            subprocess.CompletedProcess(c, int(a[0]), base64.b64decode(a[1]).decode())
            for c, a in zip(commands, answers, strict=True)
        ]


@pytest.fixture
def own_disk(slurm_users: SlurmUsers, cli: MakeCli) -> OnOwnDisk:
    return OnOwnDisk(cli(slurm_users.alice))


def test_records_on_the_login_hosts_own_disk_are_told(own_disk: OnOwnDisk) -> None:
    created, doctor = own_disk.run("session create --wait", "doctor")
    assert created.returncode == 1, created.stdout
    assert "has no log /srv/data/" in created.stdout and "on node n" in created.stdout
    assert "XDG_DATA_HOME" in created.stdout
    (line,) = [line for line in doctor.stdout.splitlines() if line.startswith("✗")]
    assert line.startswith("✗ a node: n") and "does not see the records in /srv/data" in line


def test_an_agent_that_cannot_start_leaves_its_words(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    alice = cli(slurm_users.alice)
    for command, words in (
        ('["/nosuch/moonlight-hpc", "agent"]', "/nosuch/moonlight-hpc: No such file or directory"),
        (f'["{sys.executable}", "-I", "-c", "import nosuch"]', "No module named 'nosuch'"),
    ):
        session = alice.create(env={"MOONLIGHT_HPC_AGENT_COMMAND": command})
        ended = alice.wait(session["session_id"], "failed")
        assert words in ended["reason"] and "on node n" in ended["reason"], ended["reason"]
        assert "moonlight-hpc doctor --node" in ended["reason"]
