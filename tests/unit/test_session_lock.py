"""A session has one agent, also when its job is started twice."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from moonlight_spawner.agent.node import alone
from moonlight_spawner.agent.node.alone import Alone, be_alone
from moonlight_spawner.model.files import private_directory, write_private
from moonlight_spawner.processes.mark import ProcessMark

from tests.support.waiting import PATIENCE

BE_ALONE = """
import sys
from pathlib import Path
from moonlight_spawner.agent.node.alone import be_alone
held = be_alone(Path(sys.argv[1]))
print("alone" if held else "the other one has run it", flush=True)
sys.stdin.readline()
if held:
    held.close()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return private_directory(tmp_path / "ml-x-abcdefghij")


@contextmanager
def another(directory: Path) -> Iterator[subprocess.Popen[str]]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    argv = [sys.executable, "-c", BE_ALONE, str(directory)]
    with subprocess.Popen(argv, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_a_second_one_waits_for_the_first_and_says_for_whom(directory: Path) -> None:
    with another(directory) as first:
        assert line(first) == "alone"
        with another(directory) as second:
            assert second.stderr and first.stdin
            said = second.stderr.readline()
            assert f"process id {first.pid} on {os.uname().nodename}" in said and "waiting" in said
            assert second.poll() is None
            first.stdin.close()
            assert line(second) == "the other one has run it"


def test_a_first_one_that_was_killed_holds_nobody_up(directory: Path) -> None:
    with another(directory) as first:
        assert line(first) == "alone"
        first.kill()
        first.wait()
    held = be_alone(directory)
    assert isinstance(held, Alone)
    held.close()


def test_a_second_one_that_is_told_to_stop_does(directory: Path) -> None:
    held = be_alone(directory)
    with another(directory) as second:
        assert second.stderr and second.stderr.readline()
        write_private(directory / "stop.json", "{}")
        assert line(second) == "the other one has run it"
    assert held


def test_a_stranger_cannot_hold_it(directory: Path) -> None:
    held = be_alone(directory)
    assert held
    nobody = pwd.getpwnam("nobody")
    argv = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    done = subprocess.run([*argv, "flock", "-n", str(directory / "lock"), "true"], check=False)
    assert done.returncode not in (0, 1)
    held.close()


def test_of_many_at_once_one_is_alone(directory: Path) -> None:
    with another(directory) as a, another(directory) as b, another(directory) as c:
        crowd = [a, b, c]
        ready, _, _ = select.select([process.stdout for process in crowd], [], [], PATIENCE)
        (first,) = [process for process in crowd if process.stdout in ready]
        assert line(first) == "alone"
        others = [process for process in crowd if process is not first]
        for process in others:
            assert process.stderr and "waiting" in process.stderr.readline()
        assert first.stdin
        first.stdin.close()
        assert [line(process) for process in others] == ["the other one has run it"] * 2


@pytest.fixture
def no_locks(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shared file system that has none (Lustre without ``-o flock``)."""
    flock = fcntl.flock

    def refuse(fd: int, operation: int) -> None:
        if os.readlink(f"/proc/self/fd/{fd}").startswith(str(directory)):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", refuse)
    return directory


def test_without_locks_on_the_shared_disk_this_machine_has_one(
    no_locks: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    held = be_alone(no_locks)
    assert held and "takes no locks (Function not implemented)" in capfd.readouterr().err
    here = alone._on_this_machine(no_locks)
    assert here.exists()
    assert alone._take(here) is None, "it is held"
    held.close()
    assert not here.exists(), "nothing is left"


def test_a_node_that_died_with_the_lock_does_not_hold_the_session_for_ever(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A file server may keep it. Only one of another machine is given up, and only when silent."""
    monkeypatch.setattr(alone, "_SILENT_SECONDS", 0.0)
    monkeypatch.setattr(alone, "_LOOK_SECONDS", 0.01)
    with another(directory) as first:
        assert line(first) == "alone"
        path = directory / "lock"
        mark = ProcessMark.model_validate_json(path.read_bytes())
        path.write_text(mark.model_copy(update={"boot": "another", "host": "n7"}).model_dump_json())
        held = be_alone(directory)
        assert held
        held.close()
        assert f"process id {first.pid} on n7 is silent" in capfd.readouterr().err
