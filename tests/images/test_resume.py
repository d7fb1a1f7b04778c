"""A build that was cut off goes on; one whose ingredients changed starts anew."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.support.waiting import PATIENCE, wait_until

from .conftest import ROOT, Builder


@pytest.mark.parametrize(
    ("step", "again"),
    [
        ("unpack", ["unpack", "install-packages", "install-streaming", "clean-up", "pack"]),
        # A half-changed directory is worth nothing: it is unpacked again.
        ("install-streaming", ["unpack", "install-packages", "install-streaming", "clean-up",
                               "pack"]),
        ("pack", ["pack"]),
        ("ldd", []),
    ],
)  # fmt: skip
def test_only_what_is_missing_is_done_again(builder: Builder, step: str, again: list[str]) -> None:
    words = ["desktop", "--from-vnc", str(builder.vnc)]
    builder.fail(**{step: 1 if step == "ldd" else 255})
    assert builder.build(*words) == 1
    builder.fail()
    builder.forget_calls()
    assert builder.build(*words) == 0, builder.text
    assert builder.did() == [*again, "sunshine", "ldd", "selftest"]
    assert "Get and check the downloads: done before" in builder.text


@pytest.mark.parametrize("change", ["definition", "base", "fresh", "lost", "garbage"])
def test_other_ingredients_are_another_build(builder: Builder, change: str) -> None:
    words = ["desktop"]
    builder.fail(sunshine=1)
    assert builder.build(*words) == 1
    state = builder.work / "sunshine_desktop" / "state.json"
    if change == "definition":
        (builder.home / "image_defs" / "packages.table").write_text("[base]\nless = =\n")
    elif change == "base":
        os.utime(builder.offline / "ubuntu-24.04.sif")
    elif change == "fresh":
        words.append("--fresh")
    elif change == "garbage":
        state.write_text('{"made_from": 3')
    else:
        (builder.output / ".sunshine_desktop.sif.building").unlink()
    builder.fail()
    builder.forget_calls()
    assert builder.build(*words) == 0, builder.text
    assert builder.did() == ["build", "sunshine", "ldd", "selftest"]
    kept = "downloads: done before" in builder.text
    assert kept == (change == "lost")


def test_another_vnc_image_is_another_build(builder: Builder) -> None:
    words = ["desktop", "--from-vnc", str(builder.vnc)]
    builder.fail(pack=1)
    assert builder.build(*words) == 1
    os.utime(builder.vnc / "vnc_desktop.sif")
    builder.fail()
    builder.forget_calls()
    assert builder.build(*words) == 0, builder.text
    assert builder.did()[0] == "unpack"


def test_an_image_that_was_tried_and_lost_is_tried_again(builder: Builder) -> None:
    builder.old_image().unlink()
    builder.image().mkdir()  # it cannot be put in place
    assert builder.build("desktop") == 1
    (builder.output / ".sunshine_desktop.sif.building").unlink()
    builder.image().rmdir()
    builder.forget_calls()
    assert builder.build("desktop") == 0
    assert builder.did() == ["build", "sunshine", "ldd", "selftest"]


def test_finished_steps_are_on_the_disk_as_soon_as_they_are_done(builder: Builder) -> None:
    builder.fail(sunshine=1)
    builder.build("desktop")
    state = builder.work / "sunshine_desktop" / "state.json"
    assert json.loads(state.read_text())["done"] == ["downloads", "build"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_children_and_keeps_what_is_finished(
    builder: Builder, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    old = builder.old_image()
    builder.fail(scratch="hang")
    hanging = builder.standin / "hanging"

    ended = threading.Event()

    def interrupt() -> None:
        # A build that ends before it comes so far is not to be interrupted: this process would be.
        if wait_until(lambda: ended.is_set() or written(hanging)) and not ended.is_set():
            os.kill(os.getpid(), number)

    thread = threading.Thread(target=interrupt)
    thread.start()
    # Its child ignores TERM.
    from moonlight_spawner.image_build import runner

    seconds, runner._TERM_SECONDS = runner._TERM_SECONDS, 0.5
    try:
        assert builder.build("desktop") == 130
    finally:
        ended.set()
        runner._TERM_SECONDS = seconds
        thread.join()
    assert signal.getsignal(number) is before
    assert "the same call goes on" in builder.text
    for pid in hanging.read_text().split():
        assert not running(int(pid)), f"{pid} still runs"
    assert os.listdir(builder.output) == [old.name]
    assert sorted(p.name for p in (builder.work / "sunshine_desktop").iterdir()) == [
        "context",
        "state.json",
    ]
    builder.fail()
    builder.forget_calls()
    assert builder.build("desktop") == 0
    assert "downloads: done before" in builder.text


def test_ctrl_c_at_the_command_line_ends_it_under_asyncio_too(builder: Builder) -> None:
    builder.fail(scratch="hang")
    source = """
import asyncio, pathlib, sys
sys.path.insert(0, sys.argv[1])
from tests.images.conftest import parsed, command
command.definitions = lambda: pathlib.Path(sys.argv[2])
options = parsed(sys.argv[3:])
sys.exit(asyncio.run(options.command(None, "someone", options)))
"""
    words = [str(ROOT), str(builder.home / "image_defs"), *builder.options("desktop")]
    child = subprocess.Popen([sys.executable, "-c", source, *words], stdout=subprocess.PIPE)
    hanging = builder.standin / "hanging"
    assert wait_until(lambda: child.poll() is not None or written(hanging))
    assert child.poll() is None
    pids = [int(pid) for pid in hanging.read_text().split()]
    os.kill(pids[1], signal.SIGKILL)  # the one that would ignore TERM for ten seconds
    child.send_signal(signal.SIGINT)
    said, _ = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130
    assert b"Interrupted. What is finished is kept" in said
    assert not any(running(pid) for pid in pids)


def test_what_a_killed_build_left_behind_is_removed_by_the_next(builder: Builder) -> None:
    left = builder.work / "sunshine_desktop" / "tmp-1" / "rootfs"
    left.mkdir(parents=True)
    (left.parent / "locked").mkdir(mode=0o500)
    assert builder.build("desktop") == 0
    assert not left.exists()


def written(path: Path) -> bool:
    return path.exists() and path.read_text() != ""


def running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_directory_of_someone_else_is_not_used(builder: Builder, tmp_path: Path) -> None:
    from moonlight_spawner.model.errors import UnsafeDirectory

    (tmp_path / "real").mkdir()
    builder.work.symlink_to(tmp_path / "real")
    with pytest.raises(UnsafeDirectory, match="must be a directory"):
        builder.build("desktop")
