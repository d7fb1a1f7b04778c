"""Files that are one user's alone, on a disk that everybody shares."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.errors import UnsafeDirectory
from moonlight_spawner.model.files import (
    private_directory,
    read_shared,
    tail,
    write_private,
    write_private_once,
)

from tests.support.waiting import PATIENCE

from .conftest import AsNobody, processes


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_private_directory_is_made_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "a"
    before = os.umask(0)
    try:
        assert private_directory(path) == path
    finally:
        os.umask(before)
    assert mode(path) == 0o700
    (path / "kept").touch()
    private_directory(path)
    assert (path / "kept").exists()


def test_a_directory_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o777)
    private_directory(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o700


def test_missing_parents_are_made_only_on_request(tmp_path: Path) -> None:
    with pytest.raises(UnsafeDirectory, match="No such file"):
        private_directory(tmp_path / "a" / "b")
    assert mode(private_directory(tmp_path / "a" / "b", parents=True)) == 0o700


def test_a_link_a_file_and_a_pipe_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "dangling", "file", "pipe"):
        with pytest.raises(UnsafeDirectory, match=f"{name} must be a directory"):
            private_directory(tmp_path / name)
    assert not (tmp_path / "nothing").exists()


def test_a_directory_of_somebody_else_is_refused_and_left_alone(
    shared_directory: Path, as_nobody: AsNobody
) -> None:
    theirs = shared_directory / "alice"
    as_nobody("import os; os.mkdir(args[0]); os.chmod(args[0], 0o777)", str(theirs))
    with pytest.raises(UnsafeDirectory, match=f"belongs to uid {theirs.stat().st_uid}"):
        private_directory(theirs)
    assert mode(theirs) == 0o777 and list(theirs.iterdir()) == []


def test_a_link_of_somebody_else_to_a_directory_of_ours_is_refused(
    shared_directory: Path, as_nobody: AsNobody, tmp_path: Path
) -> None:
    link = shared_directory / "alice"
    as_nobody("import os; os.symlink(args[1], args[0])", str(link), str(tmp_path))
    with pytest.raises(UnsafeDirectory):
        private_directory(link)


def test_others_cannot_look_into_what_was_written(
    shared_directory: Path, as_nobody: AsNobody
) -> None:
    directory = private_directory(shared_directory / "alice")
    write_private(directory / "token", "secret")
    # Even with the directory thrown open the file itself stays closed.
    source = """
import pathlib
try:
    result = pathlib.Path(args[0]).read_text()
except PermissionError:
    result = "denied"
"""
    assert as_nobody(source, str(directory / "token")) == "denied"
    directory.chmod(0o755)
    assert as_nobody(source, str(directory / "token")) == "denied"
    assert mode(directory / "token") == 0o600


@pytest.mark.parametrize("before", [None, 0o644, 0o666, 0o777])
def test_a_written_file_is_private_whatever_was_there(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "f"
    if before is not None:
        path.write_text("old")
        path.chmod(before)
    write_private(path, "new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert os.listdir(tmp_path) == ["f"]


def test_a_link_is_replaced_and_its_target_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "f").symlink_to(tmp_path / "precious")
    write_private(tmp_path / "f", "new")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "f").is_symlink()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(OSError):
        write_private(tmp_path / "f", "new")
    with pytest.raises(TypeError):
        write_private(tmp_path / "g", object())  # type: ignore[arg-type]
    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path / "g", "\ud800")
    assert os.listdir(tmp_path) == ["f"]


def _once(path: Path, word: str, start: Any, winners: Any) -> None:
    start.wait()
    if write_private_once(path, word * 10_000):
        winners.put(word)


def test_of_fifty_processes_exactly_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "once"
    start, winners = processes.Event(), processes.Queue()
    words = [f"w{n:02}" for n in range(50)]
    crowd = [processes.Process(target=_once, args=(path, w, start, winners)) for w in words]
    for process in crowd:
        process.start()
    start.set()
    for process in crowd:
        process.join()
    assert [p.exitcode for p in crowd] == [0] * 50
    winner = winners.get(timeout=PATIENCE)
    assert winners.empty()
    assert path.read_text() == winner * 10_000
    assert os.listdir(tmp_path) == ["once"]


def _rewrite(path: Path, letter: str, times: int) -> None:
    for _ in range(times):
        write_private(path, letter * 100_000)


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_private(path, "x" * 100_000)
    writers = [processes.Process(target=_rewrite, args=(path, c, 12)) for c in "ab"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        data = read_shared(path)
        assert data is not None and len(data) == 100_000 and len(set(data)) == 1
        seen.add(data[:1])
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen & {b"a", b"b"}
    assert os.listdir(tmp_path) == ["f"]


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    assert read_shared(tmp_path / "no") is None
    assert read_shared(tmp_path / "no" / "such") is None
    (tmp_path / "file").write_text("x")
    assert read_shared(tmp_path / "file" / "below") is None


def test_the_end_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    assert tail(log, 100) == ("", 0)
    log.write_bytes(b"a" * 1000 + b"the end\n")
    assert tail(log, 8) == ("the end\n", 1008)
    assert tail(log, 10_000) == ("a" * 1000 + "the end\n", 1008)
    assert tail(log, 0) == ("", 1008)
    log.write_bytes(b"\xff\xfe \xe2\x82")
    assert tail(log, 100)[0] == "�� �"


def test_a_log_that_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")  # nobody writes: a reader would wait for ever
    before = len(os.listdir("/proc/self/fd"))
    for name in ("link", "directory", "pipe"):
        assert tail(tmp_path / name, 100) == ("", 0), name
    assert len(os.listdir("/proc/self/fd")) == before
