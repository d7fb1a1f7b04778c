"""What is left of a user's limits, as a real Slurm counts and says it to an ordinary user."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser, run_as
from tests.support.waiting import wait_for

ASK = """
import asyncio, json, os, sys
from moonlight_spawner.scheduler.slurm import SlurmScheduler
from moonlight_spawner.site.options import MoonlightSite

async def ask():
    scheduler = SlurmScheduler(MoonlightSite(scheduler="slurm"))
    budget = await scheduler.budget(sys.argv[1])
    await scheduler.close()
    return budget.model_dump(mode="json")

told = asyncio.run(ask())
os.environ["SLURM_CONF"] = "/dev/null"
print(json.dumps([told, asyncio.run(ask())]))
"""


def _asks(slurm: SlurmCluster, who: TestUser, of: TestUser) -> list[dict[str, Any]]:
    """What is told, and what if Slurm does not answer."""
    env = {"SLURM_CONF": str(slurm.slurm_conf)}
    done = run_as(who, [sys.executable, "-c", ASK, of.name], env=env)
    assert done.returncode == 0, done.stderr
    budgets: list[dict[str, Any]] = json.loads(done.stdout)
    return budgets


def test_what_a_limit_leaves_is_told_to_its_user_and_to_a_portal(
    slurm: SlurmCluster, slurm_users: SlurmUsers
) -> None:
    alice, bob = slurm_users.alice, slurm_users.bob

    def limit(value: str, *of: str) -> None:
        slurm.sacctmgr("modify", *of, "set", f"GrpTRESMins=gres/gpu={value}")

    def of_qos() -> dict[str, Any] | None:
        hours: list[dict[str, Any]] = _asks(slurm, alice, alice)[0]["hours"]
        return next((one for one in hours if one["of"] == "qos"), None)

    limit("6000", "qos", "moonlight")
    limit("60", "user", alice.name, "account=lab")
    try:
        before = wait_for(of_qos)["left"]  # other tests' jobs count as well
        # A minute of a GPU per minute of its limit is no longer left while a job runs.
        job = slurm.submit(alice, "#!/bin/sh\nsleep 600\n", "--gres=gpu:1", "--time=60")
        slurm.wait_job(job, "RUNNING")
        told, away = _asks(slurm, alice, alice)
        (own,) = told["hours"]
        assert own["of"] == "qos" and own["name"] == "moonlight" and own["limit"] == 100
        assert own["left"] == pytest.approx(before - 1, abs=0.1)
        at_once = {one["kind"]: one for one in told["at_once"]}
        assert at_once["gpu"] == {"kind": "gpu", "of": "user", "name": "", "limit": 2, "left": 1}
        assert away["state"] == "unknown" and "does not say" in away["message"], away
        # A portal reads it with an account of its own.
        (others,) = _asks(slurm, bob, alice)[0]["hours"]
        assert abs(others["left"] - own["left"]) < 0.2
        limit("-1", "qos", "moonlight")
        wait_for(lambda: _asks(slurm, alice, alice)[0]["hours"][0]["of"] == "user")
    finally:
        limit("-1", "qos", "moonlight")
        limit("-1", "user", alice.name, "account=lab")
    wait_for(lambda: not _asks(slurm, alice, alice)[0]["hours"])
