"""Two versions of Slurm say some things in other words; both are understood."""

from __future__ import annotations

import pytest
from moonlight_spawner.scheduler.slurm_output import parse_sacct, parse_squeue
from moonlight_spawner.scheduler.slurm_words import Asked, refused

from .recordings import RECORDINGS, Recording

ASKED = Asked("viz", "moonlight", "proj", hours=9.5, gpus=3, cpus=8, memory_gb=64)

version = pytest.mark.parametrize("said", RECORDINGS.values(), ids=RECORDINGS.keys())


@version
def test_squeue(said: Recording) -> None:
    for line, meaning in said.squeue.items():
        (job,) = parse_squeue(line + "\n", ASKED).known.values()
        assert (job.state.value, job.code) == meaning, line


@version
def test_sacct(said: Recording) -> None:
    jobs = parse_sacct("".join(f"{line}\n" for line in said.sacct)).known
    assert [job.state.value for job in jobs.values()] == list(said.sacct.values())


@version
def test_sbatch(said: Recording) -> None:
    for errors, word in said.refused.items():
        assert word in refused(errors, ASKED), errors


@version
def test_why_a_job_failed(said: Recording) -> None:
    for reason, word in said.failed.items():
        line = f"9|FAILED|viz|1|n1|1795839394|1795839399|{reason}"
        job = parse_squeue(line, ASKED).known["9"]
        assert word in job.message and job.code == "FAILED"
    plain = parse_squeue("9|FAILED|viz|1|n1|1795839394|1795839399|NonZeroExitCode", ASKED)
    assert plain.known["9"].message == "", "what the desktop or its log says is better"
