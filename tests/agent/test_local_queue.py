"""The queue of a machine without a batch system: places, their order, and where it lies."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.job import JobState
from moonlight_spawner.scheduler.local_queue import Ticket, place_of, queue_directory

from tests.cluster.users import TestUser, run_as
from tests.support.waiting import PATIENCE, wait_for

from .jobs import Make

LONG = "exec sleep 7432\n"


def test_jobs_wait_for_a_place_in_their_order(jobs: Make) -> None:
    desk = jobs(1)
    for name in "abc":
        desk.submit(name, LONG)
    running = desk.wait("a", JobState.RUNNING)
    assert running.node == os.uname().nodename
    assert running.started_at and running.ends_at
    assert (running.ends_at - running.started_at).total_seconds() == 3600
    for place, name in enumerate("bc", 1):
        job = desk.look(name)
        assert (job.state, job.code) == (JobState.PENDING, "LocalSlots")
        assert (job.position, job.pending) == (place, 2)
        assert "1 of your sessions at once" in job.message
        assert job.node is None and job.started_at is None
    desk.cancel("a")
    desk.wait("a", JobState.CANCELLED)
    desk.wait("b", JobState.RUNNING)
    waiting = desk.look("c")
    assert waiting.state is JobState.PENDING
    assert (waiting.position, waiting.pending) == (1, 1)


def test_many_jobs_get_their_places_in_the_order_of_asking(jobs: Make) -> None:
    desk = jobs(2)
    names = "abcdefgh"
    for name in names:
        desk.submit(name, f"echo {name} >> ../order\nexec sleep 7432\n")
    started = desk.root / "order"

    def runs(name: str) -> None:
        """And has said so, which comes after it is on record."""
        desk.wait(name, JobState.RUNNING)
        wait_for(lambda: name in _words(started))

    for ends, starts in zip(names, names[2:], strict=False):
        runs(ends)
        desk.cancel(ends)
        runs(starts)
    wait_for(lambda: len(_words(started)) == len(names))
    # The first two have their places at the same time.
    assert sorted(_words(started)[:2]) == ["a", "b"]
    assert _words(started)[2:] == list(names[2:])
    assert list(desk.queue.glob("ticket-*")) == []


def test_who_is_killed_in_the_queue_holds_nobody_up(jobs: Make) -> None:
    desk = jobs(1)
    for name in "abc":
        desk.submit(name, LONG)
    desk.wait("a", JobState.RUNNING)
    os.kill(desk.runner("b").pid, signal.SIGKILL)
    desk.cancel("a")
    desk.wait("c", JobState.RUNNING)
    assert desk.wait("b", JobState.NODE_FAIL).code == "RunnerGone"
    assert list(desk.queue.glob("ticket-*")) == []


def test_however_they_come_and_go_no_place_is_given_twice(tmp_path: Path) -> None:
    """A ticket that is looked at before it is locked is taken for one of a killed process. And the
    queue goes with the last who is in it, and comes again."""
    spawn = multiprocessing.get_context("spawn")
    inside, most = spawn.Value("i", 0), spawn.Value("i", 0)
    queue = tmp_path / ".moonlight-hpc-0" / "queue-a"
    arguments = (str(queue), inside, most)
    people = [spawn.Process(target=_come_and_go, args=arguments) for _ in range(6)]
    for person in people:
        person.start()
    for person in people:
        person.join(PATIENCE)
    assert [person.exitcode for person in people] == [0] * 6
    assert (inside.value, most.value) == (0, 2)
    assert list(tmp_path.iterdir()) == []


def _come_and_go(queue: str, inside: Any, most: Any) -> None:
    for _ in range(20):
        ticket = Ticket(Path(queue), 2)
        while not ticket.has_place():
            time.sleep(0.001)
        ticket.give_up()
        with inside.get_lock():
            inside.value += 1
            most.value = max(most.value, inside.value)
        time.sleep(0.002)
        while most.value < 2:  # who came first stays until somebody has the other place
            time.sleep(0.001)
        with inside.get_lock():
            inside.value -= 1
        ticket.close()


def _words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_as_many_run_at_once_as_the_site_says(jobs: Make) -> None:
    desk = jobs(3)
    for name in "abcd":
        desk.submit(name, LONG)
    for name in "abc":
        desk.wait(name, JobState.RUNNING)
    assert desk.look("d").state is JobState.PENDING


def test_the_queue_is_on_the_machine_and_the_users_own(jobs: Make, tmp_path: Path) -> None:
    desk = jobs()
    desk.submit("a", LONG)
    assert not desk.queue.is_relative_to(desk.root)
    assert desk.queue != place_of(tmp_path), "another root has another queue"
    (tmp_path / "link").symlink_to(desk.root)
    assert queue_directory(tmp_path / "link") == desk.queue
    for path in (desk.queue, desk.queue.parent):
        info = path.stat()
        assert (info.st_uid, info.st_mode & 0o777) == (os.geteuid(), 0o700)


@pytest.mark.parametrize("trap", ["directory", "link", "file"])
def test_who_is_first_in_tmp_gains_nothing(user: TestUser, stranger: TestUser, trap: str) -> None:
    place = Path(f"/tmp/.moonlight-hpc-{user.uid}")
    shutil.rmtree(place, ignore_errors=True)
    theirs = Path(f"/tmp/mlt-{stranger.name}")
    theirs.mkdir()
    try:
        if trap == "directory":
            place.mkdir(0o777)
            place.chmod(0o777)
        elif trap == "link":
            place.symlink_to(theirs)
        else:
            place.touch()
        for path in (place, theirs):
            os.chown(path, stranger.uid, stranger.gid, follow_symlinks=False)
        theirs.chmod(0o777)
        source = (
            "import sys; from pathlib import Path\n"
            "from moonlight_spawner.scheduler.local_queue import queue_directory\n"
            "print(queue_directory(Path(sys.argv[1])))"
        )
        argv = [sys.executable, "-c", source, str(user.home)]
        assert run_as(user, argv, check=True).stdout.strip() == str(user.home / "slots")
        assert list(theirs.iterdir()) == []
    finally:
        shutil.rmtree(theirs)
        # A link of another user's in /tmp is followed by nobody (protected_symlinks).
        if not place.is_symlink() and place.is_dir():
            place.rmdir()
        else:
            place.unlink()


# A file system without locks is one whose flock(2) fails.
WITHOUT_LOCKS = """
import errno, fcntl, os, sys
import moonlight_spawner.scheduler.local_runner as runner

def flock(fd: int, how: int) -> None:
    code = getattr(errno, sys.argv[1])
    raise OSError(code, os.strerror(code))

fcntl.flock = flock
sys.exit(runner.main(sys.argv[2:]))
"""


@pytest.mark.parametrize("code", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
def test_without_locks_sessions_start_all_the_same(jobs: Make, code: str) -> None:
    desk = jobs()
    for name in "ab":
        (desk.root / name).mkdir()
        (desk.root / name / "job.sh").write_text(LONG)
        desk.names.append(name)
        argv = [sys.executable, "-c", WITHOUT_LOCKS, code, str(desk.root / name)]
        argv += [str(desk.root / name / "agent.log"), "60", str(desk.queue), "1"]
        subprocess.run(argv, check=True)
    for name in "ab":
        desk.wait(name, JobState.RUNNING)
