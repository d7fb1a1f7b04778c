"""When a desktop counts as used, and what its job computes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from moonlight_spawner.agent.desktop.gpu import busiest, job_gpus
from moonlight_spawner.agent.idle import cpu
from moonlight_spawner.agent.idle.rules import Quiet, Rules, Seen, unused, warns
from moonlight_spawner.model.records import IdleOptions

from tests.support.waiting import wait_until

_MINUTE = 60.0


def rules(**options: float | bool) -> Rules:
    return Rules.of(IdleOptions.model_validate({"minutes": 30, **options}))


def seen(**known: float | None) -> Seen:
    idle = {"watching": 0, "unwatched": 50 * _MINUTE, "untouched": 40 * _MINUTE, "cpu": 1.0}
    return Seen(**{**idle, **known})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "options", "minutes"),
    [
        ({}, {}, 40),
        ({"untouched": 90 * _MINUTE}, {}, 50),
        ({"watching": 1, "unwatched": 0}, {}, 0),
        ({"watching": 1, "unwatched": 0}, {"watching_minutes": 60}, 0),
        ({"watching": 1, "unwatched": 0}, {"watching_minutes": 15}, 25),
        ({"unwatched": 30 * _MINUTE}, {"watching_minutes": 15}, 30),
        ({"untouched": 0}, {}, 0),
        ({"cpu": 11}, {}, 0),
        ({"cpu": None}, {}, 0),
        ({"gpu": 0}, {}, 40),
        ({"gpu": 6}, {}, 0),
        ({"cpu": 400, "gpu": 90}, {"ends_busy": True}, 40),
        ({"cpu": 400, "untouched": 1}, {"ends_busy": True}, 1 / 60),
        ({"cpu": 150}, {"cpu_percent": 200}, 40),
    ],
)
def test_who_watches_types_or_computes_uses_it(
    known: dict[str, float | None], options: dict[str, float | bool], minutes: float
) -> None:
    assert unused(seen(**known), rules(**options)) == pytest.approx(minutes * _MINUTE)


def test_the_time_counts_from_the_last_use_and_begins_anew_when_it_is_kept() -> None:
    all_quiet = seen(unwatched=10**6, untouched=10**6)
    quiet, limits = Quiet(0), rules(minutes=30, warning_minutes=5)
    quiet.see(60, seen(cpu=200), limits)
    quiet.see(24 * _MINUTE, all_quiet, limits)
    assert quiet.left(24 * _MINUTE, limits) == 7 * _MINUTE, "since the last time that it computed"
    assert not warns(7 * _MINUTE, limits) and warns(5 * _MINUTE, limits)
    quiet.see(27 * _MINUTE, seen(unwatched=2 * _MINUTE), limits)
    assert quiet.left(27 * _MINUTE, limits) == 28 * _MINUTE, "somebody came and went between looks"
    quiet.keep(40 * _MINUTE)
    quiet.see(41 * _MINUTE, all_quiet, limits)
    assert quiet.left(41 * _MINUTE, limits) == 29 * _MINUTE


def test_a_short_time_is_not_all_warning() -> None:
    assert rules(minutes=4, warning_minutes=5).warning == 3 * _MINUTE
    assert rules(minutes=60, warning_minutes=5).warning == 5 * _MINUTE


def test_what_runs_below_and_has_ended_counts() -> None:
    """Of a child that ended between two looks its parent has the seconds."""
    work = "import subprocess, sys\nfor line in sys.stdin:\n subprocess.run([sys.executable, '-c', line])"
    work += "\n print('done', flush=True)"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", work], text=True, **pipes) as parent:  # type: ignore[call-overload]
        use = cpu.CpuUse("", parent.pid)
        assert use.since_last() is None
        parent.stdin.write("import time; list(iter(lambda: time.process_time() > 0.3, True))\n")
        parent.stdin.flush()
        parent.stdout.readline()
        first = use.since_last()
        assert first is not None and first >= 0.25
        assert (use.since_last() or 0.0) < 0.1
        parent.stdin.close()


def test_a_step_of_the_job_elsewhere_counts() -> None:
    """Slurm's daemon is its parent, so that it is not below the session."""
    job = f"99{os.getpid()}"
    with subprocess.Popen(["sleep", "inf"]) as session:
        use = cpu.CpuUse(job, session.pid)
        use.since_last()
        argv = [sys.executable, "-c", "while True: pass"]
        with subprocess.Popen(argv, env={**os.environ, "SLURM_JOB_ID": job}) as step:
            assert wait_until(lambda: (use.since_last() or 0.0) > 0.0)
            step.kill()
        session.kill()


@pytest.mark.parametrize(
    ("own", "file", "text"),
    [
        (
            "0::/system.slice/slurmstepd.scope/job_7/step_batch/user/task_0\n",
            "system.slice/slurmstepd.scope/job_7/cpu.stat",
            "usage_usec 12500000\nuser_usec 1\n",
        ),
        (
            "4:memory:/slurm/uid_1/job_7/step_batch\n3:cpu,cpuacct:/slurm/uid_1/job_7/step_batch\n",
            "cpu,cpuacct/slurm/uid_1/job_7/cpuacct.usage",
            "12500000000\n",
        ),
        (
            "3:cpuacct:/slurm_n1/uid_1/job_7\n0::/\n",
            "cpuacct/slurm_n1/uid_1/job_7/cpuacct.usage",
            "12500000000\n",
        ),
    ],
)
def test_the_jobs_own_group_is_found_and_read(
    own: str, file: str, text: str, tmp_path: Path
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    found = cpu._group_of("7", tmp_path, own)
    assert found == path and cpu._group_seconds(path) == 12.5
    assert cpu._group_of("77", tmp_path, own) is None, "another job's"


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver's tool with three GPUs, of which the second computes."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        "*--query-gpu=index*) for i in 0 1 2; do echo $i, GPU-$i, L4, 570, 00000000:0$i:00.0; done;;\n"
        '*--id=GPU-1,GPU-2*) printf "37\\n2\\n";;\n'
        '*--id=GPU-0*) echo "[N/A]";;\n'
        "*) exit 6;; esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tool


def test_the_busiest_of_the_jobs_gpus_counts(nvidia_smi: Path) -> None:
    async def look(env: dict[str, str]) -> tuple[list[str], float | None]:
        gpus = await job_gpus(env)
        return [gpu.uuid for gpu in gpus], await busiest(gpus, env)

    env = {"PATH": os.environ["PATH"], "SLURM_JOB_GPUS": "1,2", "CUDA_VISIBLE_DEVICES": "0,1"}
    assert asyncio.run(look(env)) == (["GPU-1", "GPU-2"], 37)
    one = {**env, "SLURM_JOB_GPUS": "0", "CUDA_VISIBLE_DEVICES": "0"}
    assert asyncio.run(look(one)) == (["GPU-0"], None), "it says nothing of itself"
