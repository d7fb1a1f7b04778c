"""The job that is already there: what its environment and Slurm tell of it, and what a request for a
session in it may ask for."""

from __future__ import annotations

import asyncio
import math
import os
import re
import time
from datetime import timedelta
from pathlib import Path

import moonlight_spawner.agent.deadline
import pytest
from moonlight_spawner.agent.deadline import Deadline
from moonlight_spawner.agent.ending import why_told
from moonlight_spawner.agent.status import StatusFile
from moonlight_spawner.model.errors import InvalidRequest, NotInJob, RecordsUnwritable
from moonlight_spawner.model.files import write_private
from moonlight_spawner.model.records import END_RESERVE, Facts, Job, Spec
from moonlight_spawner.model.session import Allocation, Resources, Way, from_epoch, now
from moonlight_spawner.sessions.inside import (
    as_the_job_has,
    environment_of_job,
    find_job,
    job_named,
    on_its_node,
    start_beside,
)
from moonlight_spawner.sessions.launch import Launcher
from moonlight_spawner.sessions.manager import SessionManager
from moonlight_spawner.site.options import MoonlightSite

from tests.support.waiting import PATIENCE, wait_for

STEP = {
    "SLURM_JOB_ID": "7",
    "SLURMD_NODENAME": "n1",
    "SLURM_CLUSTER_NAME": "lab",
    "SLURM_JOB_UID": str(os.geteuid()),
    "SLURM_CPUS_ON_NODE": "4",
}
END = int(time.time()) + 24 * 3600  # of a job that ends after the slowest run of these tests


def squeue(directory: Path, line: str, status: int = 0) -> MoonlightSite:
    """A site whose squeue says this of every job."""
    program = directory / "squeue"
    program.write_text(f"#!/bin/sh\necho '{line}' >&{1 if status == 0 else 2}\nexit {status}\n")
    program.chmod(0o755)
    return site_with(directory)


def site_with(commands: Path) -> MoonlightSite:
    return MoonlightSite(
        scheduler="slurm", slurm_bin=str(commands), sessions_dir=str(commands / "s")
    )


def found(site: MoonlightSite, **more: str) -> Allocation:
    job = asyncio.run(find_job(site, {**STEP, **more}))
    assert job is not None and job.cluster == "lab"
    return job.allocation


def test_a_task_of_an_array_is_named_as_squeue_names_it() -> None:
    """The last one's own number is that of the array, and scancel of it would end all."""
    array = {"SLURM_JOB_ID": "100", "SLURM_ARRAY_JOB_ID": "100", "SLURM_ARRAY_TASK_ID": "3"}
    assert job_named(array) == "100_3"
    assert job_named({"SLURM_JOB_ID": "100"}) == "100"
    assert job_named({}) == job_named({"SLURM_JOB_ID": "1; rm"}) == ""


def test_slurm_tells_what_the_job_has(tmp_path: Path) -> None:
    uid = os.geteuid()
    line = f"RUNNING  {uid} {END} 1 cpu=6,mem=1500M,node=1,billing=6,gres/gpu=2"
    assert found(squeue(tmp_path, line)) == Allocation(
        node="n1", cpus=6, memory_gb=1.46, gpus=2, ends_at=from_epoch(END)
    )
    # A site that does not count GPUs: the job's environment does.
    line = f"RUNNING {uid} N/A 1 cpu=6,mem=2G,node=1,billing=6"
    told = found(squeue(tmp_path, line), SLURM_GPUS_ON_NODE="1")
    assert (told.gpus, told.memory_gb, told.ends_at) == (1, 2, None)
    assert found(squeue(tmp_path, line)).gpus == 0
    # Of a job on several nodes squeue gives the sums.
    line = f"RUNNING {uid} {END} 2 cpu=8,mem=8G,node=2,billing=8,gres/gpu=4"
    told = found(squeue(tmp_path, line), SLURM_MEM_PER_CPU="1024", SLURM_GPUS_ON_NODE="2")
    assert (told.cpus, told.memory_gb, told.gpus) == (4, 4, 2)


def test_without_slurms_commands_its_environment_tells_and_the_rest_is_unknown(
    tmp_path: Path,
) -> None:
    site = site_with(tmp_path)
    assert found(site) == Allocation(node="n1", cpus=4)
    more = {"SLURM_MEM_PER_NODE": "2048", "CUDA_VISIBLE_DEVICES": "0,3"}
    told = found(site, SLURM_JOB_END_TIME=str(END), **more)
    assert (told.memory_gb, told.gpus, told.ends_at) == (2, 2, from_epoch(END))


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        (f"COMPLETED {os.geteuid()} 1 1 cpu=1", 0, "is completed"),
        ("slurm_load_jobs error: Invalid job id specified", 1, "is unknown to Slurm"),
        ("RUNNING 4711 1 1 cpu=1", 0, "belongs to uid 4711"),
    ],
)
def test_a_job_that_is_not_ours_or_has_ended_is_none_to_be_in(
    tmp_path: Path, line: str, status: int, words: str
) -> None:
    with pytest.raises(NotInJob, match=words):
        found(squeue(tmp_path, line, status))


def test_what_slurm_does_not_answer_is_asked_of_the_environment(tmp_path: Path) -> None:
    site = squeue(tmp_path, "slurm_load_jobs error: Unable to contact slurm controller", 1)
    assert found(site).cpus == 4
    with pytest.raises(NotInJob, match="belongs to uid 4711"):
        found(site, SLURM_JOB_UID="4711")
    with pytest.raises(NotInJob, match="time limit"):
        found(site, SLURM_JOB_END_TIME=str(int(time.time()) - 10))


def test_a_shell_of_salloc_on_a_login_node_is_not_in_its_job(tmp_path: Path) -> None:
    shell = {name: value for name, value in STEP.items() if name != "SLURMD_NODENAME"}
    assert not on_its_node(shell)
    with pytest.raises(NotInJob, match="srun"):
        asyncio.run(find_job(site_with(tmp_path), shell))
    assert asyncio.run(find_job(site_with(tmp_path), {})) is None


def test_what_was_asked_for_gives_way_to_what_the_job_has(resources: Resources) -> None:
    allocation = Allocation(node="n1", cpus=64, memory_gb=500, ends_at=now() + timedelta(hours=1))
    has = as_the_job_has(resources, allocation)
    assert (has.cpus, has.memory_gb, has.gpus) == (64, 500, resources.gpus)
    assert 0.9 < has.hours <= 1
    assert has.resolution == resources.resolution


def test_secrets_of_a_server_stay_out_of_what_it_starts(tmp_path: Path) -> None:
    """They would be in the environment of the agent, and of the site's own shell lines."""
    server = {**STEP, "JUPYTERHUB_API_TOKEN": "s", "JUPYTER_TOKEN": "s", "SLURM_JWT": "s"}
    server |= {"CUDA_VISIBLE_DEVICES": "0", "MODULEPATH": "/m", "PYTHONPATH": "/p", "HOME": "/x"}
    env = environment_of_job(server)
    assert "s" not in env.values() and "PYTHONPATH" not in env
    assert env["CUDA_VISIBLE_DEVICES"] == "0" and env["SLURM_JOB_ID"] == "7"
    assert env["HOME"] != "/x"


def test_what_is_started_beside_a_server_is_no_child_of_it(tmp_path: Path) -> None:
    script, log = tmp_path / "job.sh", tmp_path / "agent.log"
    script.write_text("sleep 0.2\nps -o ppid=,sid= $$ || cat /proc/$$/stat\necho done\n")
    asyncio.run(start_beside(script, log))
    said = wait_for(lambda: "done" in log.read_text() and log.read_text())
    assert str(os.getpid()) not in said.split()
    assert log.stat().st_mode & 0o777 == 0o600


def in_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: object) -> SessionManager:
    line = f"RUNNING {os.geteuid()} {END} 1 cpu=2,mem=2G,node=1,billing=2"
    squeue(tmp_path, line)
    for name in ("sbatch", "scancel"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} $* >> {tmp_path}/called\n")
        (tmp_path / name).chmod(0o755)
    for name, value in STEP.items():
        monkeypatch.setenv(name, value)
    site = site_with(tmp_path)
    site.update_config(site.config)
    site.set_trait("host_desktop", "always")
    for name, value in settings.items():
        site.set_trait(name, value)
    return SessionManager(site)


def test_where_is_checked_and_the_site_says_where_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        manager = in_job(tmp_path, monkeypatch)
        user = manager.store.user
        job = await manager.job_here()
        assert job is not None
        assert manager.where_by_default(None) == "job"
        assert manager.where_by_default(job) == "job"  # desktops have a GPU, this job has none
        manager.site.set_trait("gpus", 0)
        assert manager.where_by_default(job) == "here"
        manager.site.set_trait("launch_where", "job")
        assert manager.where_by_default(job) == "job"
        with pytest.raises(InvalidRequest) as wrong:
            await manager.launch(user, {"where": "there"})
        assert [(f.field, f.value) for f in wrong.value.fields] == [("where", "there")]
        monkeypatch.delenv("SLURM_JOB_ID")
        with pytest.raises(InvalidRequest, match="does not run in a job"):
            await manager.launch(user, {"where": "here"})
        manager.site.set_trait("slurm_bin", "/var/empty")
        with pytest.raises(InvalidRequest, match="commands"):
            await manager.launch(user, {"where": "job"})
        assert manager.where_by_default(job) == "here"
        assert manager.store.ids(user) == []
        await manager.close()

    asyncio.run(check())


def test_both_ways_write_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        manager = in_job(tmp_path, monkeypatch)
        user = manager.store.user
        job = await manager.job_here()
        assert job is not None
        session_id, start = await manager.create_inside(
            user, {"hours": 3}, job, Way.GUEST, "hub", "k"
        )
        assert start is not None and "moonlight_spawner agent" in start.script.read_text()
        files = {path.name for path in manager.store.directory(session_id).iterdir()}
        assert {"facts.json", "job.json", "spec.json", "token", "job.sh"} <= files
        # As it is in YAML without quotes, behind which Open OnDemand's job script puts it.
        token = (manager.store.directory(session_id) / "token").read_text()
        assert re.fullmatch("[a-z][A-Za-z0-9_-]{43}", token)
        facts = manager.store.get(user, session_id, "facts", Facts)
        known = manager.store.get(user, session_id, "job", Job)
        assert facts and known
        assert (facts.door, facts.way, facts.place, known.job_id) == ("hub", Way.GUEST, "lab", "7")
        assert facts.request.cpus == 2 and 3 < facts.request.hours <= 24
        again = await manager.create_inside(user, {}, job, Way.GUEST, "hub", "k")
        assert again == (session_id, None)

        # A stop of a guest is a word to its agent, at once and ever after.
        await manager.stop(user, session_id)
        launcher: Launcher = manager._launcher
        await launcher.cancel(facts)
        assert not (tmp_path / "called").exists()
        owning, _ = await manager.create_inside(user, {}, job, Way.OWNING, "ood")
        await manager.stop(user, owning)
        assert (tmp_path / "called").read_text().split() == ["scancel", "7"]
        await manager.close()

    asyncio.run(check())


def test_records_of_older_versions_have_neither_door_nor_way(resources: Resources) -> None:
    old = Facts(
        session_id="ml-a-abcdefghij", user="a", image_id="x", image_name="X", host="selkies",
        scheduler="slurm", request=resources,
    ).model_dump(exclude={"door", "way", "allocation"})  # fmt: skip
    facts = Facts.model_validate(old)
    assert (facts.door, facts.way, facts.allocation) == ("", Way.JOB, None)


def test_a_full_or_closed_directory_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    async def check() -> None:
        manager = in_job(tmp_path, monkeypatch)
        job = await manager.job_here()
        assert job is not None

        def read_only(*_: object, **__: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(manager.store, "put_once", read_only)
        with pytest.raises(RecordsUnwritable, match="cannot write to: Read-only file system"):
            await manager.create_inside(manager.store.user, {}, job, Way.GUEST, "here")
        await manager.close()

    asyncio.run(check())
    assert now()


@pytest.mark.parametrize("way", [Way.OWNING, Way.GUEST])
def test_the_agent_keeps_the_jobs_time_and_not_the_hours_that_were_asked_for(
    way: Way, tmp_path: Path, resources: Resources
) -> None:
    spec = _spec(resources, way, "local")
    status = StatusFile.new(tmp_path)
    began = now() - timedelta(days=1)  # the job is older than the session
    deadline = Deadline(spec, status, began, {})
    assert status.status.ends_at is None and deadline.left == math.inf
    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(asyncio.wait_for(deadline.passes(), 0.01))
    assert any("How long the job runs is not known" in note for note in status.status.notes)
    # Known by what was learned when the session was put on record, or by the job's environment.
    ends = from_epoch(END)
    known = spec.model_copy(update={"job_ends_at": ends})
    Deadline(known, status, began, {})
    assert status.status.ends_at == ends - END_RESERVE
    Deadline(spec, status, began, {"SLURM_JOB_END_TIME": str(END + 60)})
    assert status.status.ends_at == ends - END_RESERVE + timedelta(seconds=60)


def test_a_slow_squeue_is_waited_for_as_long_as_there_is_time(
    tmp_path: Path, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of Slurm 22.05 learns its end from nobody else, and begins late on a busy node."""
    monkeypatch.setattr(moonlight_spawner.agent.deadline, "_ASK_SECONDS", (0.1, PATIENCE))
    spec, status = _spec(resources, Way.JOB, "slurm"), StatusFile.new(tmp_path)
    env = {**STEP, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    squeue(tmp_path, f"'; sleep 1; echo '{END}")
    asyncio.run(Deadline(spec, status, now(), env)._ask())
    assert status.status.ends_at == from_epoch(END) - END_RESERVE

    squeue(tmp_path, "'; exec sleep 600; echo '")
    over = now() - timedelta(days=1)
    asyncio.run(asyncio.wait_for(Deadline(spec, status, over, env).passes(), PATIENCE))


def test_a_guest_that_is_told_to_end_does_not_say_that_its_job_was_cancelled(
    tmp_path: Path, resources: Resources
) -> None:
    spec = _spec(resources, Way.GUEST, "slurm")
    write_private(tmp_path / "spec.json", spec.model_dump_json())
    assert why_told(tmp_path, StatusFile.new(tmp_path).status).code == "EndedThere"


def _spec(resources: Resources, way: Way, scheduler: str) -> Spec:
    return Spec(
        session_id="ml-a-abcdefghij", image_id="x", host="selkies", request=resources, way=way,
        max_width=1, max_height=1, display_min=1, display_max=1, port_min=1, port_max=1,
        gateway_address="", gateway_plain_http=False, log_dir="", scheduler=scheduler,
    )  # fmt: skip
