"""Jobs of all users in one question, asked by an account that is none of theirs."""

from __future__ import annotations

import json
import sys

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import run_as
from tests.slurm.conftest import MakeCli

ASK = """
import asyncio, json, sys
from moonlight_spawner.scheduler.slurm_everybodys import EverybodysJobs
from moonlight_spawner.site.options import MoonlightSite

async def ask():
    jobs = EverybodysJobs(MoonlightSite(scheduler="slurm"))
    snapshot = await jobs.snapshot(sys.argv[1:])
    named, place = await jobs.sessions(), await jobs.place()
    await jobs.close()
    states = {i: job.state.value for i, job in snapshot.jobs.items()}
    return [states, snapshot.owners, dict(named), place, snapshot.complete, snapshot.stale_reason]

print(json.dumps(asyncio.run(ask())))
"""


def test_slurm_says_whose_a_job_is(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    later = {"MOONLIGHT_HPC_SBATCH_OPTIONS": '["--begin=now+20minutes"]'}
    made = {user.name: cli(user).create(env=later) for user in (slurm_users.alice, slurm_users.bob)}
    jobs = {session["slurm_job_id"]: name for name, session in made.items()}
    alices = made[slurm_users.alice.name]["session_id"]
    nobodys = f"{alices[:-4]}zzzz"
    for forged in (alices, f"x\n{slurm_users.alice.name}|{nobodys}"):
        slurm.submit(
            slurm_users.bob, "#!/bin/sh\n", "--begin=now+20minutes", f"--job-name={forged}"
        )
    # Some of these make squeue refuse a whole question, and records may name any of them.
    wrong = ["abc", "-5", "2147483648", "4294967295", "0", "7_x", "7.batch", "9" * 100]
    argv = [sys.executable, "-c", ASK, *jobs, "999999", *wrong]
    env = {"SLURM_CONF": str(slurm.slurm_conf)}
    done = run_as(slurm_users.carol, argv, env=env)
    assert done.returncode == 0, done.stderr
    states, owners, named, place, complete, trouble = json.loads(done.stdout)
    assert states == dict.fromkeys(jobs, "pending") and owners == jobs
    assert {session["session_id"]: name for name, session in made.items()}.items() <= named.items()
    assert nobodys not in named, "bob's job has a line of alice's in its name"
    assert (complete, trouble) == (False, None) and place
