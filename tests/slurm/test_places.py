"""One home, several machines: whose job it is, and who can be asked about it."""

from __future__ import annotations

import json
import sys

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.slurm.conftest import MakeCli
from tests.support.cli import UserCli

FIND = """
import asyncio, sys
from moonlight_spawner.scheduler.slurm import SlurmScheduler
from moonlight_spawner.site.options import MoonlightSite
print(asyncio.run(SlurmScheduler(MoonlightSite(scheduler="slurm")).find(sys.argv[1:])))
"""


def test_a_machine_without_slurm_loses_no_session_of_the_cluster(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice = cli(slurm_users.alice)
    session_id = alice.create()["session_id"]
    alice.wait(session_id, "running")
    elsewhere = alice.get(session_id, env={"MOONLIGHT_HPC_SCHEDULER": "local"})
    assert (elsewhere["status"], elsewhere["stale_code"]) == ("running", "StartedElsewhere")
    name = slurm.scontrol("show", "config").split("ClusterName")[1].split()[1]
    assert name in elsewhere["stale_reason"]
    here = alice.get(session_id)
    assert (here["status"], here["stale_since"]) == ("running", None)

    # Its agent is told by a file, without Slurm.
    local = UserCli(slurm_users.alice, {**alice.env, "MOONLIGHT_HPC_SCHEDULER": "local"})
    ended = local.stop(session_id)
    assert (ended["status"], ended["reason_code"]) == ("cancelled", "StoppedByUser")


def test_a_job_of_the_same_name_is_not_taken_for_ones_own(
    slurm: SlurmCluster, slurm_users: SlurmUsers
) -> None:
    """The name of a session that is being submitted can be read by everybody."""
    names = ["ml-alice-abcdefghij", "ml-alice-klmnopqrst"]
    own = slurm.submit(slurm_users.alice, "#!/bin/sh\nsleep 60\n", f"--job-name={names[0]}")
    for name in names:
        slurm.submit(slurm_users.bob, "#!/bin/sh\nsleep 60\n", f"--job-name={name}")
    found = slurm.run_as(slurm_users.alice, [sys.executable, "-c", FIND, *names], check=True)
    assert json.loads(found.stdout.replace("'", '"')) == {names[0]: str(own)}
