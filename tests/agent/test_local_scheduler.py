"""Jobs on a machine without a batch system: places, ends, limits, as a batch system has them."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from moonlight_spawner.model.errors import SubmitUnconfirmed
from moonlight_spawner.model.job import JobState
from moonlight_spawner.processes.mark import mark_of
from moonlight_spawner.scheduler import local

from tests.support.waiting import PATIENCE, wait_until

from .jobs import Make

LONG = "exec sleep 7432\n"

# Who asks for a desktop waits for the runner's start.
LOADED = """
import sys
import moonlight_spawner.scheduler.local_runner
files = [(name, getattr(module, "__file__", None) or "") for name, module in sys.modules.items()]
print(*{name.partition(".")[0] for name, file in files if "-packages" in file}, "asyncio" in sys.modules)
"""


def test_the_runner_loads_no_library_and_no_loop() -> None:
    argv = [sys.executable, "-c", LOADED]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    found = {name for name in said if not name.startswith("_")}
    assert found == {"moonlight_spawner", "False"}


def test_a_waiting_job_that_is_cancelled_never_runs(jobs: Make) -> None:
    desk = jobs(1)
    desk.submit("a", LONG)
    desk.wait("a", JobState.RUNNING)
    desk.submit("b", "touch ran\n")
    desk.cancel("b")
    assert desk.wait("b", JobState.CANCELLED).ended_at
    assert not (desk.root / "b" / "ran").exists()
    assert desk.look("a").state is JobState.RUNNING


@pytest.mark.parametrize(
    "script, state",
    [
        ("exit 0\n", JobState.COMPLETED),
        ("exit 3\n", JobState.FAILED),
        ("kill -9 $$\n", JobState.FAILED),
        ("nosuchcommand\n", JobState.FAILED),
    ],
)
def test_how_a_script_ends_is_how_its_job_ends(jobs: Make, script: str, state: JobState) -> None:
    desk = jobs()
    desk.submit("a", "echo said\n" + script)
    job = desk.wait("a", state)
    assert job.ended_at and job.started_at
    assert "said" in (desk.root / "a" / "agent.log").read_text()
    assert (desk.root / "a" / "agent.log").stat().st_mode & 0o777 == 0o600


def test_what_a_script_leaves_behind_is_ended_with_it(jobs: Make) -> None:
    desk = jobs()
    hold_on = "(trap '' TERM HUP; setsid sh -c 'echo $$ > pid; exec sleep 7432' &)\n"
    desk.submit("a", hold_on + "while ! [ -s pid ]; do sleep 0.05; done\n")
    desk.wait("a", JobState.COMPLETED)
    assert not Path("/proc", (desk.root / "a" / "pid").read_text().strip()).exists()


def test_the_script_hears_term_and_may_take_its_time(jobs: Make) -> None:
    desk = jobs()
    desk.submit("a", "trap 'sleep 0.5; echo bye; exit 0' TERM\necho ready\nsleep 7432 & wait\n")
    log = desk.root / "a" / "agent.log"
    assert wait_until(lambda: log.exists() and "ready" in log.read_text())
    desk.cancel("a")
    desk.wait("a", JobState.CANCELLED)
    assert "bye" in log.read_text()


# The runner's own constants, so that a test need not wait for half a minute.
HASTY = """
import sys
import moonlight_spawner.scheduler.local_runner as runner
assert runner._KILL_SECONDS
runner._KILL_SECONDS = 1.0
sys.exit(runner.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("deaf", [False, True], ids=["hears TERM", "is deaf"])
def test_the_time_limit_ends_a_job(tmp_path: Path, deaf: bool) -> None:
    slots = tmp_path / "slots"
    slots.mkdir()
    trap = "trap '' TERM" if deaf else "trap 'echo told; exit 0' TERM"
    (tmp_path / "job.sh").write_text(f"{trap}\nwhile :; do sleep 0.05; done\n")
    arguments = [str(tmp_path), str(tmp_path / "agent.log"), "0.05", str(slots), "1"]
    # Who hears it has his time to say so.
    how = ["-c", HASTY] if deaf else ["-m", "moonlight_spawner.scheduler.local_runner"]
    subprocess.run([sys.executable, *how, *arguments], check=True)

    def job() -> local.LocalJob:
        found = local.read_job(tmp_path)
        assert found
        return found

    assert wait_until(lambda: job().state.ended, interval=0.05), job()
    assert job().state is JobState.TIMEOUT
    assert ("told" in (tmp_path / "agent.log").read_text()) != deaf


def test_a_killed_runner_takes_its_job_along_and_is_told(jobs: Make) -> None:
    desk = jobs(1)
    desk.submit("a", LONG)
    desk.wait("a", JobState.RUNNING)
    script = desk.script("a")
    desk.runner("a").signal(signal.SIGKILL)
    job = desk.wait("a", JobState.NODE_FAIL)
    assert job.code == "RunnerGone" and "killed" in job.message
    assert script.wait(PATIENCE)
    desk.submit("b", LONG)
    desk.wait("b", JobState.RUNNING)  # its place is free again


def test_a_job_that_ends_between_two_looks_is_not_taken_for_lost(
    jobs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is on record before its runner is gone; who looks in this order must see it."""
    desk = jobs()
    desk.submit("a", "while ! [ -e go ]; do sleep 0.02; done\n")
    desk.wait("a", JobState.RUNNING)
    runner = desk.runner("a")
    read = local.read_job

    def slow(directory: Path) -> local.LocalJob | None:
        job = read(directory)
        (directory / "go").touch()
        assert runner.wait(PATIENCE)  # all of this happens before the next line of the scheduler
        return job

    with monkeypatch.context() as patch:
        patch.setattr(local, "read_job", slow)
        assert desk.look("a").state is JobState.COMPLETED
    assert desk.look("a").state is JobState.COMPLETED


def test_jobs_outlive_the_server_that_submitted_them(jobs: Make) -> None:
    desk = jobs()
    (desk.root / "a").mkdir()
    (desk.root / "a" / "job.sh").write_text(LONG)
    argv = [sys.executable, "-m", "moonlight_spawner.scheduler.local_runner", str(desk.root / "a")]
    argv += [str(desk.root / "a" / "agent.log"), "60", str(desk.queue), "1"]
    server = subprocess.Popen(
        ["sh", "-c", '"$@"; exec sleep 7432', "sh", *argv], start_new_session=True
    )
    desk.names.append("a")
    assert wait_until(lambda: (desk.root / "a" / "local.json").exists())
    desk.wait("a", JobState.RUNNING)
    os.killpg(server.pid, signal.SIGHUP)
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    time.sleep(0.5)
    assert desk.look("a").state is JobState.RUNNING
    assert desk.script("a").alive()


# Hours pass for who submits, at each look at the clock.
LATE = """
import itertools, os, sys, time
import moonlight_spawner.scheduler.local_runner as runner
fork = os.fork
def forked():
    if pid := fork():
        hours = itertools.count(0.0, 3600.0)
        time.monotonic = lambda: next(hours)
    return pid
os.fork = forked
sys.exit(runner.main(sys.argv[1:]))
"""
# It ends before its first word.
MUTE = """
import os, sys
import moonlight_spawner.scheduler.local_runner as runner
runner.Runner.announce = lambda _: os._exit(1)
sys.exit(runner.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("source", "status"), [(LATE, 0), (MUTE, 1)], ids=["late", "mute"])
def test_a_runner_is_waited_for_as_long_as_it_lives(jobs: Make, source: str, status: int) -> None:
    desk = jobs()
    (desk.root / "a").mkdir()
    (desk.root / "a" / "job.sh").write_text("exit 0\n")
    argv = [sys.executable, "-c", source, str(desk.root / "a"), str(desk.root / "a/agent.log")]
    argv += ["60", str(desk.queue), "1"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    if status:
        assert "the runner wrote nothing into" in done.stderr
    else:
        desk.names.append("a")
        desk.wait("a", JobState.COMPLETED)


def test_a_runner_that_is_slow_to_answer_is_found_by_its_name(
    jobs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that nothing was started, for then its session would go on without a record."""
    monkeypatch.setattr(local, "_START_SECONDS", 0.0)
    desk = jobs()

    async def submit() -> None:
        with pytest.raises(SubmitUnconfirmed, match="said nothing within 0 s"):
            await desk.scheduler.submit(desk.request("a", LONG))
        while desk.scheduler._late or not await desk.scheduler.find(["a"]):
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(submit(), PATIENCE))
    desk.names.append("a")
    desk.wait("a", JobState.RUNNING)


def test_the_servers_secrets_stay_with_the_server(
    jobs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JUPYTERHUB_API_TOKEN", "AWS_SECRET_ACCESS_KEY", "LD_PRELOAD_X", "DISPLAY"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    desk = jobs()
    desk.submit("a", "env -0 > environment\n")
    desk.wait("a", JobState.COMPLETED)
    text = (desk.root / "a" / "environment").read_text()
    assert "s3cret" not in text
    environment = dict(entry.split("=", 1) for entry in text.split("\0") if entry)
    account = pwd.getpwuid(os.geteuid())  # not $HOME, which sudo may leave another user's
    assert environment["HOME"] == account.pw_dir and environment["USER"] == account.pw_name
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"
    assert "/usr/bin" in environment["PATH"].split(":")


@pytest.mark.parametrize("field, wrong", [("ticks", 0), ("boot", "another")])
def test_a_pid_that_belongs_to_another_process_now_is_not_signalled(
    jobs: Make, field: str, wrong: object
) -> None:
    desk = jobs()
    with subprocess.Popen(["sleep", "7432"]) as other:
        (desk.root / "a").mkdir()
        known = {"state": "running", **mark_of(other.pid).model_dump(), field: wrong}
        (desk.root / "a" / "local.json").write_text(json.dumps(known))
        desk.cancel("a")
        time.sleep(0.2)
        assert other.poll() is None
        assert asyncio.run(desk.scheduler.query(["a"])).jobs["a"].code == "RunnerGone"
        other.kill()


LOOK = """
import asyncio, sys
from pathlib import Path
from moonlight_spawner.scheduler.local import LocalScheduler
from moonlight_spawner.site.options import MoonlightSite
scheduler = LocalScheduler(MoonlightSite(), sys.argv[1])
print(asyncio.run(scheduler.query(["a"])).jobs["a"].state.value)
asyncio.run(scheduler.cancel("a"))
"""


@pytest.mark.parametrize("seconds", [-100, 100])
def test_setting_the_clock_ends_no_job(jobs: Make, tmp_path: Path, seconds: int) -> None:
    """The kernel's time of the boot is the clock's less the uptime, so it moves with the clock."""
    desk = jobs()
    desk.submit("a", LONG)
    desk.wait("a", JobState.RUNNING)
    lines = Path("/proc/stat").read_text().splitlines()
    (boot,) = [line for line in lines if line.startswith("btime ")]
    moved = f"btime {int(boot.split()[1]) + seconds}"
    (tmp_path / "stat").write_text("\n".join(moved if li is boot else li for li in lines) + "\n")
    shell = 'mount --bind "$1" /proc/stat; shift; exec "$@"'
    argv = ["unshare", "--mount", "--propagation=private", "sh", "-ec", shell, "sh"]
    argv += [str(tmp_path / "stat"), sys.executable, "-c", LOOK, str(desk.root)]
    told = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (told.stdout.strip(), told.stderr) == ("running", "")
    desk.wait("a", JobState.CANCELLED)  # who looked could tell its runner from others, too


def test_what_the_user_has_on_his_path_is_found(
    jobs: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "my-sunshine").write_text("#!/bin/sh\necho my own >> ../said\n")
    (tmp_path / "bin" / "my-sunshine").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin")
    desk = jobs()
    desk.submit("a", "my-sunshine; echo $PATH >> ../said\n")
    desk.wait("a", JobState.COMPLETED)
    said = (desk.root / "said").read_text().splitlines()
    assert said[0] == "my own"
    assert said[1].split(":")[:2] == [f"{tmp_path}/bin", "/usr/bin"]
    assert {"/bin", "/usr/local/bin", "/usr/sbin"} <= set(said[1].split(":"))


def test_what_is_unknown_or_broken_spoils_nothing(jobs: Make) -> None:
    desk = jobs()
    desk.submit("a", LONG)
    desk.wait("a", JobState.RUNNING)
    (desk.root / "broken").mkdir()
    (desk.root / "broken" / "local.json").write_bytes(b'{"state": "run')
    found = asyncio.run(desk.scheduler.query(["a", "broken", "unknown"])).jobs
    assert set(found) == {"a"}
    for name in ("broken", "unknown"):
        desk.cancel(name)
    assert asyncio.run(desk.scheduler.find(["a", "broken", "unknown"])) == {"a": "a"}
    desk.cancel("a")
    desk.wait("a", JobState.CANCELLED)
    desk.cancel("a")  # ending an ended job is no error


ELSEWHERE = """
import asyncio, os, sys
from moonlight_spawner.scheduler.local import LocalScheduler
from moonlight_spawner.site.options import MoonlightSite
async def look():
    scheduler = LocalScheduler(MoonlightSite(), sys.argv[1])
    found = await scheduler.query(["a"])
    await scheduler.cancel("a")
    print(len(found.jobs), len(found.strangers), os.uname().nodename)
asyncio.run(look())
"""


def test_a_container_of_the_same_name_takes_no_job_for_dead(jobs: Make) -> None:
    """With one home and one host name, and process ids of its own."""
    desk = jobs()
    desk.submit("a", LONG)
    desk.wait("a", JobState.RUNNING)
    script = desk.script("a")
    container = ["unshare", "--pid", "--fork", "--mount-proc"]
    argv = [*container, sys.executable, "-c", ELSEWHERE, str(desk.root)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    assert said == ["0", "1", os.uname().nodename]
    assert desk.look("a").state is JobState.RUNNING and script.alive()
