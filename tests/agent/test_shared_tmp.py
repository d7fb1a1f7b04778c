"""/tmp and a shared scratch directory belong to everybody: what others can put there in our way."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.model.errors import UnsafeDirectory
from moonlight_spawner.model.files import private_directory, read_own
from moonlight_spawner.model.session import StepState
from moonlight_spawner.model.trust import exchangeable

from tests.cluster.users import TestUser, run_as

from .conftest import Launch
from .sessions import DeskSession, Ranges, prepare, settings


@pytest.fixture
def shared() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mlt-shared-", dir="/var/tmp") as name:
        Path(name).chmod(0o1777)
        yield Path(name)


@pytest.fixture
def traps(stranger: TestUser) -> Iterator[Ranges]:
    """Pipes of another user's where a session looks for what earlier ones have left."""
    ranges = Ranges()
    directory = Path(tempfile.mkdtemp(prefix="moonlight-", dir="/tmp"))
    lock = Path(f"/tmp/.X{ranges.display}-lock")
    os.mkfifo(directory / "guardian", 0o644)
    os.mkfifo(lock, 0o644)
    for path in (directory, directory / "guardian", lock):
        os.chown(path, stranger.uid, stranger.gid)
    directory.chmod(0o755)
    yield ranges
    shutil.rmtree(directory)
    lock.unlink()


def test_pipes_of_a_stranger_hold_nobody_up(launch: Launch, user: TestUser, traps: Ranges) -> None:
    session = launch(env=settings(user, traps))
    status = session.wait_running()
    assert status.display_num != traps.display, "something lies there"
    session.ask_to_stop()
    assert session.wait_ended().end
    assert session.wait_exit() == 0


def test_what_is_read_is_a_small_file_of_ones_own(tmp_path: Path, stranger: TestUser) -> None:
    path = tmp_path / "pid"
    path.write_text("4711")
    assert read_own(path) == "4711"
    os.chown(path, stranger.uid, -1)
    assert read_own(path) is None
    os.mkfifo(tmp_path / "pipe")
    assert read_own(tmp_path / "pipe") is None
    (tmp_path / "link").symlink_to("/etc/hostname")
    assert read_own(tmp_path / "link") is None
    assert read_own(tmp_path) is None and read_own(tmp_path / "nothing") is None
    os.truncate(path, 1 << 40)
    os.chown(path, os.geteuid(), -1)
    assert len(read_own(path) or "") == 64


def test_nothing_is_put_where_a_stranger_could_exchange_it(
    shared: Path, stranger: TestUser
) -> None:
    assert exchangeable(shared) == ""
    os.chown(shared, stranger.uid, -1)
    with pytest.raises(UnsafeDirectory, match=f"belongs to uid {stranger.uid}"):
        private_directory(shared / "mine")
    os.chown(shared, os.geteuid(), -1)
    shared.chmod(0o777)
    with pytest.raises(UnsafeDirectory, match="not sticky"):
        private_directory(shared / "mine")
    shared.chmod(0o1777)
    assert private_directory(shared / "mine").is_dir()


def test_the_agent_does_nothing_that_a_stranger_has_written(
    launch: Launch, user: TestUser, stranger: TestUser, shared: Path
) -> None:
    session = launch()
    session.wait_running()
    session.ask_to_stop()
    assert session.wait_exit() == 0
    for name in (".", "spec.json", "token"):
        copy = Path(shutil.copytree(session.directory, shared / f"copy-{name.strip('.')}"))
        copy.chmod(0o755)
        for path in (copy, *copy.iterdir()):
            os.chown(path, user.uid, user.gid)
            path.chmod(0o755)
        os.chown(copy / name, stranger.uid, stranger.gid)
        (copy / "status.json").unlink()
        argv = [sys.executable, "-m", "moonlight_spawner", "agent", str(copy)]
        done = run_as(user, argv)
        assert done.returncode != 0 and "is not yours" in done.stderr, name
        if name == ".":
            assert not (copy / "status.json").exists(), "not even a word in a stranger's directory"
        else:
            status = DeskSession(user, copy).status
            assert status.end and str(copy / name) in status.end.reason
            assert {step.state for step in status.steps} == {StepState.WAITING}
            assert status.display_num is None and status.gateway is None
    above = shared / "above"
    above.mkdir()
    copy = Path(shutil.copytree(session.directory, above / "copy"))
    for path in (copy, *copy.iterdir()):
        os.chown(path, user.uid, user.gid)
    above.chmod(0o777)
    done = run_as(user, [sys.executable, "-m", "moonlight_spawner", "agent", str(copy)])
    assert done.returncode != 0 and f"others may write to {above} " in done.stderr


def test_the_agent_does_not_log_where_others_could_exchange_it(
    user: TestUser, shared: Path
) -> None:
    logs = shared / "logs"
    logs.mkdir(mode=0o755)
    os.chown(logs, user.uid, user.gid)
    session = DeskSession(user, prepare(user, env=settings(user, logs_dir=str(logs))))
    logs.chmod(0o777)
    argv = [sys.executable, "-m", "moonlight_spawner", "agent", str(session.directory)]
    assert run_as(user, argv).returncode == 1
    end = session.status.end
    assert end and end.code == "UnsafeDirectory"
    assert f"others may write to {logs} " in end.reason and session.status.display_num is None
    session.assert_nothing_left()
