"""A session's directories on its node: where they are made, and which of them are removed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent.node import places
from moonlight_spawner.model.errors import UnsafeDirectory
from moonlight_spawner.processes.mark import ProcessMark, mark_of

from .conftest import AsNobody


@pytest.fixture
def system(shared_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """/tmp of a node."""
    path = shared_directory / "tmp"
    path.mkdir()
    path.chmod(0o1777)
    monkeypatch.setattr(places, "_SYSTEM", path)
    monkeypatch.setattr(places, "_ICE", path / ".ICE-unix")
    monkeypatch.delenv("TMPDIR", raising=False)
    return path


@pytest.fixture
def job(shared_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TMPDIR of a job, which several nodes share."""
    path = shared_directory / "scratch of all nodes"
    path.mkdir(mode=0o755)
    monkeypatch.setenv("TMPDIR", str(path))
    return path


@pytest.fixture
def gone() -> ProcessMark:
    """The mark of a process that has ended."""
    with subprocess.Popen(["sleep", "7432"]) as process:
        mark = mark_of(process.pid)
        process.kill()
    return mark


def a_session(base: Path, name: str, mark: str) -> Path:
    path = base / f"moonlight-{name}"
    path.mkdir(mode=0o700)
    (path / "guardian").write_text(mark)
    (path / "xauthority").touch()
    return path


def test_without_a_tmpdir_all_is_in_tmp(system: Path) -> None:
    runtime = places.make_places()
    assert runtime.parent == system and runtime.stat().st_mode & 0o777 == 0o700
    temporary = places.temporary(runtime)
    assert temporary.is_dir() and not temporary.is_symlink()
    places.remove_places(runtime)
    assert list(system.iterdir()) == []


def test_what_is_large_goes_below_the_jobs_tmpdir(system: Path, job: Path) -> None:
    runtime = places.make_places()
    (places.temporary(runtime) / "large").touch()
    (made,) = job.iterdir()
    assert (made / "large").exists() and made.stat().st_mode & 0o777 == 0o700
    places.remove_places(runtime)
    assert list(system.iterdir()) == [] and list(job.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o700])
def test_a_tmpdir_that_others_could_exchange_is_not_used(
    system: Path, job: Path, mode: int, capfd: pytest.CaptureFixture[str]
) -> None:
    job.chmod(mode)
    runtime = places.make_places()
    unsafe = mode == 0o777
    assert places.temporary(runtime).is_symlink() == (not unsafe)
    said = capfd.readouterr().err
    assert (f"TMPDIR, {job}, cannot be used here: others may write to" in said) == unsafe
    assert (list(job.iterdir()) == []) == unsafe


def test_without_a_safe_tmp_nothing_is_made(system: Path) -> None:
    system.chmod(0o777)
    with pytest.raises(UnsafeDirectory, match=f"others may write to {system} .*administrator"):
        places.make_places()
    assert list(system.iterdir()) == []


def test_what_programs_make_read_only_is_removed_too(system: Path, as_nobody: AsNobody) -> None:
    """As Go's module cache. Root may remove it anyway, so somebody else does it."""
    path = system / "moonlight-abcdefgh"
    source = """
import os
from pathlib import Path
from moonlight_spawner.agent.node.places import remove_places
top = Path(args[0], "tmp", "cache", "module")
top.mkdir(parents=True)
(top / "file").touch()
for each in (top, top.parent, top.parent.parent):
    each.chmod(0o500)
remove_places(Path(args[0]))
result = os.path.exists(args[0])
"""
    assert as_nobody(source, str(path)) is False


def test_a_start_removes_what_certainly_nobody_uses(
    system: Path, job: Path, gone: ProcessMark
) -> None:
    removed = [a_session(base, "dead", gone.model_dump_json()) for base in (system, job)]
    places.sweep()
    assert not any(path.exists() for path in removed)


MARKS = {
    "alive": lambda gone: mark_of(os.getpid()),
    "of another node": lambda gone: gone.model_copy(update={"boot": "other", "machine": "other"}),
    "of another container": lambda gone: gone.model_copy(update={"pids": "pid:[1]"}),
    "of a container elsewhere": lambda gone: gone.model_copy(update={"boot": "b", "machine": ""}),
}


@pytest.mark.parametrize("of", MARKS.values(), ids=MARKS)
def test_a_start_leaves_alone_what_may_be_used(
    system: Path, job: Path, gone: ProcessMark, of: object
) -> None:
    mark = of(gone).model_dump_json()  # type: ignore[operator]
    kept = [a_session(base, "used", mark) for base in (system, job)]
    places.sweep()
    assert all((path / "xauthority").exists() for path in kept)


@pytest.mark.parametrize("mark", ["", "4711", "{", '{"pid": 1}'])
def test_a_start_leaves_alone_what_does_not_say_whose_it_is(system: Path, mark: str) -> None:
    kept = a_session(system, "unknown", mark)
    places.sweep()
    assert kept.exists()


@pytest.mark.parametrize("link", [False, True])
def test_a_start_removes_nothing_where_others_could_exchange_it(
    system: Path, job: Path, gone: ProcessMark, link: bool
) -> None:
    kept = a_session(job, "left", gone.model_dump_json())
    if link:  # the part of a session in /tmp that is removed
        runtime = a_session(system, "runtime", gone.model_dump_json())
        places.temporary(runtime).symlink_to(kept)
    job.chmod(0o777)
    places.sweep()
    assert kept.exists()
    job.chmod(0o1777)
    places.sweep()
    assert not kept.exists()


def test_a_start_removes_nothing_from_a_tmp_that_others_could_exchange(
    system: Path, gone: ProcessMark
) -> None:
    """Such a node is refused, but only afterwards."""
    kept = [a_session(system, "left", gone.model_dump_json()), system / ".ICE-unix/4194305"]
    kept[1].parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(kept[1]))
    system.chmod(0o777)
    places.sweep()
    assert all(path.exists() for path in kept)
    system.chmod(0o1777)
    places.sweep()
    assert not any(path.exists() for path in kept)


def test_a_start_leaves_alone_what_is_a_strangers(
    system: Path, gone: ProcessMark, tmp_path: Path
) -> None:
    theirs = a_session(system, "theirs", gone.model_dump_json())
    shutil.chown(theirs, "nobody")
    target = a_session(tmp_path, "target", gone.model_dump_json())
    (system / "moonlight-link").symlink_to(target)
    places.sweep()
    assert theirs.exists() and target.exists()


@pytest.mark.parametrize("target", ["home", "moonlight-other", "moonlight-unmarked"])
def test_a_link_that_a_program_has_exchanged_removes_nothing(
    system: Path, job: Path, gone: ProcessMark, target: str
) -> None:
    a_session(job, "other", gone.model_dump_json())
    for name in ("home", "moonlight-unmarked"):
        (job / name).mkdir()
    runtime = places.make_places()
    places.temporary(runtime).unlink()
    places.temporary(runtime).symlink_to(job / target)
    places.remove_places(runtime)
    assert (job / target).is_dir() and not runtime.exists()


@pytest.fixture
def sockets(system: Path) -> Iterator[dict[str, Path]]:
    """A socket that is listened at and one that is not, of processes that are not seen here."""
    found, listeners = {}, []
    for pid, name in ((2**22 + 1, "used"), (2**22 + 2, "left")):
        for path in (system / f".ICE-unix/{pid}", system / f"ssh-{name}/agent.{pid}"):
            path.parent.mkdir(exist_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen()
            found[f"{path.parent.name[:4]} {name}"] = path
            if name == "left":
                listener.close()
            else:
                listeners.append(listener)
    yield found
    for listener in listeners:
        listener.close()


def test_a_socket_that_somebody_listens_at_is_used_whatever_its_number(
    sockets: dict[str, Path],
) -> None:
    """A container has process ids of its own, and may share /tmp."""
    places.remove_sockets()
    there = {name: path.exists() for name, path in sockets.items()}
    expected = {".ICE used": True, ".ICE left": False, "ssh- used": True, "ssh- left": False}
    assert there == expected
    assert not sockets["ssh- left"].parent.exists()
