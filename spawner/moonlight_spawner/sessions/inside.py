"""The job that is already there: found, measured, and given a session.

A job that was submitted for something else (Open OnDemand's script, a Hub's server, an interactive
shell) tells of itself by its environment; Slurm, where it answers, knows better.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from ..model.errors import NotInJob, SchedulerUnavailable
from ..model.said import said_by
from ..model.session import Allocation, Resources, from_epoch, job_named, now
from ..processes.caller import local_environment
from ..scheduler.command import CommandMissing, CommandTimeout, run
from ..site.machine import python
from ..site.options import MoonlightSite

# What is asked of squeue, with widths that nothing is cut at; what may be empty comes last.
_FIELDS = "State:20,UserID:12,EndTime:24,NumNodes:8,tres-alloc:300"
_LAST_SECOND = 253402300799  # of the year 9999, the calendar's last
_SIZE = re.compile(r"([0-9.]+)([KMGT]?)")
_GIB = {"K": 2**-20, "M": 2**-10, "": 2**-10, "G": 1.0, "T": 1024.0}

# What a desktop gets of the process that starts it beside itself, such as a Jupyter server with its
# tokens: the job, its GPU, modules, language and time zone.
_OF_THE_JOB = re.compile(
    r"SLURM_(?!JWT\b)\w+|SLURMD_\w+|CUDA_\w+|NVIDIA_\w+|GPU_DEVICE_ORDINAL|ROCR_VISIBLE_DEVICES|"
    r"MODULE\w+|LMOD_\w+|_ModuleTable\w*|BASH_FUNC_(module|ml)%%|BASH_ENV|LOADEDMODULES|_LMFILES_|"
    r"LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH"
)


@dataclass(frozen=True)
class JobHere:
    """The job that this process runs in. ``job_id`` is as squeue shows it, ``100_3`` in an array.

    The number in ``SLURM_JOB_ID`` will not do: the last task of an array has the array's own, and
    scancel of that ends all of them (measured on 22.05).
    """

    job_id: str
    cluster: str
    allocation: Allocation


async def find_job(site: MoonlightSite, environ: Mapping[str, str] | None = None) -> JobHere | None:
    """The live job of this user that this process runs in, None if it runs in none.

    Raises
    ------
    NotInJob
        The environment names a job that has ended, is somebody else's, or runs on another machine.
    """
    environ = os.environ if environ is None else environ
    job_id = job_named(environ)
    if not job_id or site.batch_system != "slurm":
        return None
    if not on_its_node(environ):
        raise NotInJob(
            f"This is a shell of job {job_id}, but not on its node "
            f"{environ.get('SLURM_JOB_NODELIST', '')}. Run it there: srun --overlap --ntasks=1 …"
        )
    said = await _ask(site, job_id)
    if said is not None:
        return JobHere(job_id, environ.get("SLURM_CLUSTER_NAME", ""), _told(said, job_id, environ))
    uid = environ.get("SLURM_JOB_UID", "")
    if uid and uid != str(os.geteuid()):
        raise NotInJob(f"Job {job_id}, which the environment names, belongs to uid {uid}.")
    allocation = _by_environment(environ)
    if allocation.ends_at and allocation.ends_at < now():
        raise NotInJob(f"Job {job_id}, which the environment names, has reached its time limit.")
    return JobHere(job_id, environ.get("SLURM_CLUSTER_NAME", ""), allocation)


def on_its_node(environ: Mapping[str, str]) -> bool:
    """Whether slurmd started this: in the shell of an ``salloc`` on a login node it did not."""
    return bool(environ.get("SLURMD_NODENAME"))


def go_to_its_node(site: MoonlightSite, arguments: list[str]) -> NoReturn:
    """Become ``srun`` that runs this very command on the node of an ``salloc``.

    A step gets one CPU unless it is said how many (srun(1), --cpus-per-task); GPUs and memory it
    gets all.
    """
    srun = site.slurm_command("srun")
    if srun is None:
        raise NotInJob("This shell is not on its job's node, and Slurm's srun is not found here.")
    cpus = re.match(r"[0-9]+", os.environ.get("SLURM_JOB_CPUS_PER_NODE", ""))
    step = [srun, "--overlap", "--nodes=1", "--ntasks=1", "--quiet"]
    step += [f"--cpus-per-task={cpus[0]}"] if cpus else []
    os.execv(srun, [*step, *python("moonlight_spawner"), *arguments])


def as_the_job_has(asked: Resources, allocation: Allocation) -> Resources:
    """What was asked for, with what the job really has in its place; the unknown stays as asked."""
    update: dict[str, object] = {
        name: value
        for name in ("cpus", "memory_gb", "gpus")
        if (value := getattr(allocation, name)) is not None
    }
    if allocation.ends_at:
        left = (allocation.ends_at - now()).total_seconds()
        update["hours"] = round(max(left, 60.0) / 3600, 2)
    return asked.model_copy(update=update)


def environment_of_job(environ: Mapping[str, str]) -> dict[str, str]:
    """A login's environment in this job, without the secrets of whoever runs in it."""
    ours = {name: value for name, value in environ.items() if _OF_THE_JOB.fullmatch(name)}
    return local_environment(environ) | ours


def become(script: Path, log: Path) -> NoReturn:
    """Run a session's job script in this process's place, as the batch system does."""
    sys.stdout.flush()
    sys.stderr.flush()
    null, output = os.open(os.devnull, os.O_RDONLY), _open_log(log)
    for fd, source in ((0, null), (1, output), (2, output)):
        os.dup2(source, fd)
    os.chdir(script.parent)
    os.execv("/bin/bash", ["/bin/bash", str(script)])


async def start_beside(script: Path, log: Path) -> None:
    """Run a session's job script as a process that outlives this one, though not the job.

    Raises
    ------
    SchedulerUnavailable
    """
    fd = _open_log(log)
    try:
        # The shell between ends at once: nobody here is left to collect the session's end.
        process = await asyncio.create_subprocess_exec(
            *("/bin/bash", "-c", '/bin/bash "$1" & exit 0', "bash", str(script)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            env=environment_of_job(os.environ),
            cwd=str(script.parent),
            start_new_session=True,
        )
        await process.wait()
    except OSError as e:
        raise SchedulerUnavailable(
            f"The session cannot be started in this job: {said_by(e)}."
        ) from e
    finally:
        os.close(fd)


def _open_log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)


async def _ask(site: MoonlightSite, job_id: str) -> str | None:
    """Squeue's line about the job, empty if it knows none; None if nobody answers."""
    squeue = site.slurm_command("squeue")
    if squeue is None:
        return None
    argv = [squeue, "--noheader", f"--jobs={job_id}", f"--Format={_FIELDS}"]
    try:
        result = await run(argv, site.answer_seconds)
    except (CommandTimeout, CommandMissing):
        return None
    if result.status:
        return "" if "Invalid job id" in result.errors else None
    return result.output.strip()


def _told(line: str, job_id: str, environ: Mapping[str, str]) -> Allocation:
    """What squeue says, with the environment's words for what only this node's share is of."""
    words = line.split()
    if len(words) < 4 or words[0] not in ("RUNNING", "SUSPENDED"):
        state = words[0].lower() if words else "unknown to Slurm"
        raise NotInJob(f"Job {job_id}, which the environment names, is {state}.")
    if words[1] != str(os.geteuid()):
        raise NotInJob(f"Job {job_id}, which the environment names, belongs to uid {words[1]}.")
    found = _by_environment(environ)
    update: dict[str, object] = {"ends_at": _moment(words[2]), "gpus": found.gpus or 0}
    if words[3] == "1" and len(words) > 4:  # of a job on several nodes these are the sums
        has = dict(part.split("=", 1) for part in words[4].split(",") if "=" in part)
        sums = {"cpus": _whole(has.get("cpu", "")), "memory_gb": _gib(has.get("mem", ""))}
        # Not every site counts GPUs: AccountingStorageTRES has to name them.
        sums["gpus"] = _whole(has.get("gres/gpu", ""))
        update |= {name: value for name, value in sums.items() if value is not None}
    return found.model_copy(update=update)


def _by_environment(environ: Mapping[str, str]) -> Allocation:
    """What the job's own environment tells (sbatch(1), OUTPUT ENVIRONMENT VARIABLES)."""
    cpus = _whole(environ.get("SLURM_CPUS_ON_NODE", ""))
    memory = _gib(environ.get("SLURM_MEM_PER_NODE", ""))
    per_cpu = _gib(environ.get("SLURM_MEM_PER_CPU", ""))
    if memory is None and per_cpu is not None and cpus:
        memory = round(per_cpu * cpus, 2)
    gpus = _whole(environ.get("SLURM_GPUS_ON_NODE", ""))
    if gpus is None and (visible := environ.get("CUDA_VISIBLE_DEVICES")):
        gpus = 0 if visible == "NoDevFiles" else len(visible.split(","))
    return Allocation(
        node=environ.get("SLURMD_NODENAME") or os.uname().nodename,
        cpus=cpus,
        memory_gb=memory,
        gpus=gpus,
        ends_at=_moment(environ.get("SLURM_JOB_END_TIME", "")),  # not in 22.05
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _moment(text: str) -> datetime | None:
    """Epoch seconds; None for a job without a limit, whose end is `N/A` or in ages."""
    seconds = _whole(text)
    return from_epoch(seconds) if seconds and 0 < seconds <= _LAST_SECOND else None


def _gib(text: str) -> float | None:
    """``600M``, ``1.50G``; MiB without a unit. 0 of either means all of the node's."""
    match = _SIZE.fullmatch(text)
    return round(float(match[1]) * _GIB[match[2]], 2) or None if match else None
