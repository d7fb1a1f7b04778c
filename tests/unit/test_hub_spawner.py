"""What the Hub's spawner takes from its users, and from a Slurm that says less than it should."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_spawner.hub import MoonlightSpawner, spawner
from moonlight_spawner.hub.options import check, form, from_form
from moonlight_spawner.model.errors import InvalidRequest
from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.model.session import Resources
from moonlight_spawner.site.options import MoonlightSite

SMALL: Any = {"image": "desktop", "hours": 1, "cpus": 1, "memory_gb": 1, "gpus": 0}
SMALL |= {"resolution": "1280x720", "fps": 30, "bitrate_kbps": 8000, "keyboard": "us"}
NOT_THERE = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
AWAY = (
    "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1"
)

Spawners = Callable[..., MoonlightSpawner]


@pytest.fixture
def spawners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spawners:
    """One with job 7, whose Slurm is these shell scripts."""
    monkeypatch.setattr(spawner, "_AGAIN_SECONDS", 0.01)

    def make(**scripts: str) -> MoonlightSpawner:
        for name, text in {"scontrol": "exit 1", "sacct": "", "scancel": "", **scripts}.items():
            (tmp_path / name).write_text(f"#!/bin/sh\ncd {tmp_path}\n{text}\n")
            (tmp_path / name).chmod(0o755)
        one = MoonlightSpawner(
            user=SimpleNamespace(name="alice", settings={}),
            req_homedir="/",
            req_keepvars="HOME",
            exec_prefix="",
        )
        one.site = MoonlightSite(slurm_bin=str(tmp_path), cache_seconds=0.1)
        one.job_id = "7"
        return one

    return make


def test_a_stop_is_asked_again_until_slurm_has_taken_it(spawners: Spawners, tmp_path: Path) -> None:
    """Whatever comes of a stop, the Hub forgets the job after it."""
    one = spawners(
        squeue=f"[ -e taken ] || {{ {AWAY}; }}; {NOT_THERE}",
        scancel='echo "$@" >> asked; [ $(wc -l < asked) -gt 2 ] || exit 1; touch taken',
    )
    asyncio.run(one.stop())
    assert (tmp_path / "asked").read_text() == "7\n7\n7\n"


def test_a_job_that_slurm_does_not_know_need_not_be_cancelled(spawners: Spawners) -> None:
    asyncio.run(spawners(squeue=NOT_THERE, scancel="exit 1").stop())


def test_a_stop_that_may_not_wait_tells_that_slurm_has_not_taken_it(spawners: Spawners) -> None:
    one = spawners(squeue=AWAY, scancel="echo 'cannot contact controller' >&2; exit 1")
    with pytest.raises(Exception, match="does not end job 7: cannot contact controller"):
        asyncio.run(one.stop(now=True))


@pytest.mark.parametrize(
    ("squeue", "status"),
    [(NOT_THERE, 1), (AWAY, None), ("echo 'slurmdbd: lost' >&2", None)],
    ids=["unknown", "away", "doubtful"],
)
def test_only_what_is_certain_ends_a_server(
    spawners: Spawners, squeue: str, status: int | None
) -> None:
    assert asyncio.run(spawners(squeue=squeue).poll()) == status


def test_the_job_of_a_start_that_ended_with_the_hub_is_ended(
    spawners: Spawners, tmp_path: Path
) -> None:
    one = spawners(squeue=NOT_THERE, scancel='echo "$@" >> asked')
    one._starting = True
    state = one.get_state()
    again = spawners(squeue=NOT_THERE, scancel='echo "$@" >> asked')
    again.load_state(state)
    assert asyncio.run(again.poll()) == 1 and not again.job_id
    assert (tmp_path / "asked").read_text() == "7\n"


def job(state: JobState, **facts: Any) -> JobInfo:
    return JobInfo(job_id="7", state=state, **facts)


MESSAGE = "Other jobs come first."
WAITS: Any = {"state": JobState.PENDING, "message": MESSAGE, "position": 3, "pending": 9}
START = datetime(2026, 11, 28, 17, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (job(JobState.PENDING, message=MESSAGE), f"Waiting in the queue: {MESSAGE}"),
        (job(**WAITS), f"Waiting in the queue (place 3 of 9): {MESSAGE}"),
        (
            job(**WAITS, at_least=True, estimated_start=START),
            f"Waiting in the queue (place at least 3 of 9): {MESSAGE} "
            "Slurm expects it to start at 2026-11-28 17:05 UTC.",
        ),
        (
            job(JobState.RUNNING, node="n1"),
            "The job runs on n1. Your server is being started.",
        ),
        (job(JobState.TIMEOUT, message="Its time is up."), "Its time is up."),
    ],
    ids=["waits", "with its place", "in a long queue, with an estimate", "runs", "has ended"],
)
def test_the_hubs_page_is_told_what_slurm_says_of_the_job(
    spawners: Spawners, info: JobInfo, said: str
) -> None:
    one = spawners()
    one._learn(info)
    assert asyncio.run(anext(one.progress()))["message"] == said


def test_the_jobs_log_is_private_and_what_the_server_makes_is_as_its_user_wants(
    spawners: Spawners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = spawners()
    script, log = tmp_path / "job.sh", tmp_path / "log"
    until = f"until [ $(wc -l < {log}) = 2 ]; do sleep 0.02; done"  # its end is the desktop's
    server = f"/bin/sh -c 'umask; {until}'"
    monkeypatch.setattr(one, "cmd_formatted_for_batch", lambda: server)
    one.desktop_command = ["/bin/sh", "-c", "umask"]
    script.write_text(one._script(Resources(**SMALL), desktop=True))
    with log.open("w") as said:
        log.chmod(0o644)
        subprocess.run(["/bin/bash", script], stdout=said, umask=0o027, check=True)
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.read_text().split() == ["0027", "0027"]


@pytest.mark.parametrize(
    "options",
    [
        {"partition": "open"},
        {"req_partition": "open"},
        {"qos": "normal"},
        {"user_may": ["qos"]},
        {"job_log": "/etc/passwd"},
        {"exec_prefix": "id"},
        {"account": "-x"},
        {"account": "a b"},
        {"account": ["lab"]},
    ],
    ids=repr,
)
def test_users_set_what_the_site_lets_them_and_no_more(options: dict[str, Any]) -> None:
    name = next(iter(options))
    with pytest.raises(InvalidRequest, match=name):
        check(options, MoonlightSite(), ["account"])
    assert check({"account": "lab"}, MoonlightSite(), ["account"])[2] == {"account": "lab"}


@pytest.mark.parametrize("options", [[], "cpus", 7])
def test_options_are_an_object(options: object) -> None:
    with pytest.raises(InvalidRequest, match="must be an object"):
        check(options, MoonlightSite(), [])


def test_a_form_without_the_box_has_no_desktop() -> None:
    assert from_form({"_xsrf": ["x"], "desktop": ["no"], "cpus": [""]}) == {"desktop": False}
    assert from_form({"desktop": ["no", "yes"], "cpus": ["2"]}) == {"desktop": True, "cpus": 2}


def test_the_form_offers_images_by_name_and_no_choice_where_there_is_none(tmp_path: Path) -> None:
    none = form(MoonlightSite(images_dir=str(tmp_path), max_gpus=0), desktop=False)
    assert 'name="image"' not in none and 'name="gpus"' not in none and "checked" not in none
    for name in ("cfd_tools", "paraview"):
        (tmp_path / f"sunshine_{name}.sif").touch()
    both = form(MoonlightSite(images_dir=str(tmp_path)), desktop=True)
    images = re.findall(r'<option value="(\w+)"( selected)?>(.*)</option>', both)
    assert ("paraview", "", "Paraview") in images and "cfd_tools" in {i[0] for i in images}
    assert " checked>" in both
    # A screen follows its window unless a size is chosen, and a desktop has a name if it is given one.
    assert '<option value="">Follows' in both and '<option value="1280x720">1280 × 720<' in both
    assert "3840x2160" not in form(MoonlightSite(max_width=2560), desktop=True)
    asked = from_form({"resolution": [""], "name": [" 유동 해석 "], "desktop": ["no", "yes"]})
    resources, _, _, name = check(asked, MoonlightSite(images_dir=str(tmp_path)), [])
    assert resources.follow_window and name == "유동 해석"
    fixed = check({"resolution": "1280x720"}, MoonlightSite(images_dir=str(tmp_path)), [])[0]
    assert (fixed.resolution, fixed.follow_window) == ("1280x720", False)
    with pytest.raises(InvalidRequest, match="name"):
        check({"name": "x\u202e"}, MoonlightSite(images_dir=str(tmp_path)), [])
