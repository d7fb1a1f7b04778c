"""`moonlight-hpc report` over a real slurmdbd: what was run is what it says."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from typing import Any

import pytest

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser
from tests.support.cli import UserCli
from tests.support.waiting import wait_for

from .conftest import MakeCli

# Of today: the cluster is new, but other tests' jobs of the same users are in its accounting as well.
SINCE = ("--since", date.today().isoformat())
_ADDED = ("sessions", "hours", "gpu_hours", "failures", "ended_idle", "saved_gpu_hours")
# No node here has a GPU that says whether it is in use, which counts as use.
_IDLE = {"MOONLIGHT_HPC_IDLE_MINUTES": "0.04", "MOONLIGHT_HPC_IDLE_ENDS_BUSY": "1"}


def _groups(cli: UserCli, by: str, *more: str) -> dict[str, dict[str, Any]]:
    said = cli.json("report", *SINCE, "--by", by, *more)
    return {row["group"]: row for row in [*said["groups"], said["total"]]}


def _all_told(slurm: SlurmCluster, nobody: TestUser) -> None:
    """Slurm tells its accounting of jobs one after the other, and that lists them seconds later than it
    knows each by its number: when it lists this one, which no report counts, it has all that were before."""
    last = slurm.submit(nobody, "#!/bin/sh\nexit 0\n", "--partition=open", qos=None)
    slurm.wait_job(last, "COMPLETED")
    ask = ["sacct", "-X", "-n", "-P", "-a", "-S", SINCE[1], "-E", "now+1days", "-o", "JobID,State"]
    told = f"{last}|COMPLETED"
    wait_for(lambda: told in slurm.command(ask).stdout.splitlines(), interval=0.2)


def test_what_two_users_ran_is_what_it_says(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    alice, bob = cli(slurm_users.alice), cli(slurm_users.bob)
    _all_told(slurm, slurm_users.carol)
    before = {by: _groups(bob, by, "--all-users") for by in ("user", "image")}

    # A session of the product's, for the image; then jobs of a session's name and of known lengths.
    # One of them has a name that would read like a job of bob's.
    # Nobody uses its desktop, so that it gives its GPU back.
    session = alice.create("--gpus", "1", env=_IDLE)
    ran = slurm.submit(
        slurm_users.bob,
        "#!/bin/sh\nsleep 3\n",
        *(f"--job-name=ml-{slurm_users.bob}-4k7q2mzj5a", "--gres=gpu:2"),
        "--comment=moonlight:image=figures",
    )
    fails = slurm.submit(
        slurm_users.alice,
        "#!/bin/sh\nexit 3\n",
        f"--job-name=x\n{slurm_users.bob}|FAILED|1|2|3|gres/gpu=9|",
    )
    slurm.wait_job(ran, "COMPLETED")
    slurm.wait_job(fails, "FAILED")
    ended = alice.wait(session["session_id"], "timeout")
    assert ended["reason_code"] == "Idle", ended
    seen = ended["reason_params"]
    assert seen["watching"] == "0" and seen["used"].startswith("CPU "), seen
    slurm.wait_job(ended["slurm_job_id"], "COMPLETED")

    def told(user: str) -> dict[str, float]:
        was, now = before["user"].get(user, {}), _groups(bob, "user", "--all-users").get(user, {})
        return {key: now[key] - (was.get(key) or 0) for key in _ADDED} if now else {}

    _all_told(slurm, slurm_users.carol)
    of_bob, of_alice = told(str(slurm_users.bob)), told(str(slurm_users.alice))
    assert (of_bob["sessions"], of_bob["failures"]) == (1, 0)
    job = slurm.job(ran)
    start, end = (datetime.fromisoformat(job[name]) for name in ("StartTime", "EndTime"))
    # A difference of figures rounded to 0.36 s.
    assert of_bob["hours"] * 3600 == pytest.approx((end - start).total_seconds(), abs=0.5), job
    assert abs(of_bob["gpu_hours"] - 2 * of_bob["hours"]) <= 0.002
    assert (of_alice["sessions"], of_alice["failures"]) == (2, 1)
    assert (of_alice["ended_idle"], of_bob["ended_idle"], of_bob["saved_gpu_hours"]) == (1, 0, 0)
    assert 7 < of_alice["saved_gpu_hours"] < 8, "what was left of its eight hours"

    images = _groups(bob, "image", "--all-users")
    assert images["figures"]["sessions"] == 1
    mine = session["image_id"]
    assert images[mine]["sessions"] == before["image"].get(mine, {"sessions": 0})["sessions"] + 1
    assert "unknown" in images, "the failed job said nothing of an image"

    # One's own, unless all are asked for; by month it is the same sum.
    assert set(_groups(bob, "user")) == {str(slurm_users.bob), "total"}
    months = _groups(bob, "month")
    assert months[date.today().isoformat()[:7]]["sessions"] == months["total"]["sessions"] >= 1

    table = bob.run("report", *SINCE)
    assert table.returncode == 0, table.stderr
    head, *rows = table.stdout.splitlines()
    assert head.split()[:3] == ["user", "sessions", "hours"] and len({len(r) for r in rows}) == 1
    written = list(csv.DictReader(io.StringIO(bob.run("report", *SINCE, "--csv").stdout)))
    assert [row["group"] for row in written] == [str(slurm_users.bob), "total"]
    picture = slurm_users.bob.home / "use.svg"
    drawn = bob.run("report", *SINCE, "--plot", str(picture))
    assert drawn.returncode == 0, drawn.stderr
    assert "<svg" in picture.read_text("utf-8")


def test_an_accounting_that_is_away_is_said(
    slurm: SlurmCluster, slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    slurm.stop_slurmdbd()
    away = cli(slurm_users.alice).run("report", *SINCE)
    assert away.returncode == 1
    assert "Slurm's accounting does not answer" in away.stderr and "Traceback" not in away.stderr
