"""Another user sits where the session's X server is to be: he gets nothing, and nobody joins him."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent.node.claims import NothingFree, claim_display
from moonlight_spawner.model.session import State, StepState

from tests.cluster.users import TestUser, as_user, run_as

from .conftest import Launch
from .sessions import Ranges, settings
from .squatter import squatting


def names(display: int) -> tuple[str, str, str]:
    return (
        f"@/tmp/.X11-unix/X{display}",
        f"/tmp/.X11-unix/X{display}",
        f"/tmp/.X{display}-lock",
    )


@contextlib.contextmanager
def left(user: TestUser, kind: str, name: str) -> Iterator[None]:
    """Something of another user's at that place."""
    if name.startswith("@") or kind == "socket":
        with squatting(user, name):
            yield
        if not name.startswith("@"):
            os.unlink(name)
        return
    command = {
        "file": ["touch", name],
        "link": ["ln", "-s", "/etc/passwd", name],
        "dangling": ["ln", "-s", "/nonexistent", name],
        "pipe": ["mkfifo", name],
        "directory": ["mkdir", name],
    }[kind]
    run_as(user, command, check=True)
    try:
        yield
    finally:
        if kind == "directory":
            os.rmdir(name)
        else:
            os.unlink(name)


@pytest.mark.parametrize(
    "kind, place",
    [
        ("socket", 0),
        ("socket", 1),
        ("file", 1),
        ("dangling", 1),
        ("directory", 1),
        ("file", 2),
        ("link", 2),
        ("dangling", 2),
        ("pipe", 2),
        ("directory", 2),
    ],
)
def test_a_display_with_anything_on_it_is_not_claimed(
    stranger: TestUser, kind: str, place: int
) -> None:
    display = Ranges().display
    with left(stranger, kind, names(display)[place]):
        with pytest.raises(NothingFree):
            claim_display(display, display)
    claim_display(display, display).release()


def test_a_session_starts_on_a_display_that_nobody_sits_on(
    launch: Launch, user: TestUser, stranger: TestUser
) -> None:
    ranges = Ranges(displays=3)
    abstract, _, _ = names(ranges.display)
    _, path, _ = names(ranges.display + 2)
    with squatting(stranger, abstract) as first, left(stranger, "socket", path):
        session = launch(env=settings(user, ranges))
        status = session.wait_running()
        assert status.display_num == ranges.display + 1
        session.process.terminate()
        session.wait_exit()
        assert first.heard() == ""


# Follows the claims of a range of displays, and puts something at a name of each X server before
# that comes; then it says that it has seen the claim.
QUICKER = """
import os, socket, sys, time
first, last, wanted, seen = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(","), sys.argv[4]
kept, known = [], set()
print("ready", flush=True)
while True:
    claims = [line.split()[-1] for line in open("/proc/net/unix") if "moonlight-hpc/display/" in line]
    for display in {int(name.rpartition("/")[2]) for name in claims} - known:
        if not first <= display <= last:
            continue
        known.add(display)
        kind = wanted.pop(0) if wanted else "nothing"
        path = f"/tmp/.X11-unix/X{display}"
        if kind in ("abstract", "file"):
            kept.append(socket.socket(socket.AF_UNIX))
            kept[-1].bind(chr(0) + path if kind == "abstract" else path)
            kept[-1].listen()
        elif kind == "lock":
            open(f"/tmp/.X{display}-lock", "x").close()
        open(f"{seen}/{display}", "x").close()
    time.sleep(0.01)
"""
# An X server that lets him have the moment.
LATE = """#!/bin/sh
while [ ! -e {seen}/${{1#:}} ]; do sleep 0.02; done
exec Xvfb "$@" -screen 0 640x480x24
"""


@contextlib.contextmanager
def quicker(stranger: TestUser, user: TestUser, ranges: Ranges, kinds: str) -> Iterator[list[str]]:
    """Somebody who is quicker on one display after the other; the X server's command meanwhile."""
    with tempfile.TemporaryDirectory(prefix="mlt-", dir="/var/tmp") as name:
        seen = Path(name)
        shutil.chown(seen, stranger.name)
        seen.chmod(0o755)
        late = user.home / "late-x"
        late.write_text(LATE.format(seen=seen))
        late.chmod(0o755)
        last = ranges.display + ranges.displays - 1
        argv = [sys.executable, "-c", QUICKER, str(ranges.display), str(last), kinds, name]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, **as_user(stranger)) as one:
            try:
                assert one.stdout and one.stdout.readline() == "ready\n"
                yield [str(late)]
            finally:
                one.kill()
        for path in (Path(p) for n in os.listdir(seen) for p in names(int(n))[1:]):
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_uid == stranger.uid:
                    path.unlink()


def test_who_is_quicker_twice_does_not_keep_the_session_from_a_third_display(
    launch: Launch, user: TestUser, stranger: TestUser
) -> None:
    ranges = Ranges()
    with quicker(stranger, user, ranges, "abstract,file") as command:
        session = launch(env=settings(user, ranges, x_server_command=json.dumps(command)))
        status = session.wait_running()
        assert session.desktop_environment()["DISPLAY"] == f":{status.display_num}"
        claim = next(step for step in status.steps if step.id == "claim")
        assert claim.state is StepState.DONE and f"display :{status.display_num} " in claim.detail
        assert claim.detail.count("somebody else took") == 1, claim.detail
        assert session.log().count("was taken meanwhile") == 2
        session.process.terminate()
        session.wait_exit()
        session.assert_nothing_left()


@pytest.mark.parametrize("displays", [4, 2])
def test_who_is_quicker_each_time_is_named(
    launch: Launch, user: TestUser, stranger: TestUser, displays: int
) -> None:
    ranges = Ranges(displays)
    with quicker(stranger, user, ranges, "lock,abstract,file,lock") as command:
        session = launch(env=settings(user, ranges, x_server_command=json.dumps(command)))
        end = session.wait_ended().end
        session.wait_exit()
    assert end and (end.state, end.code) == (State.FAILED, "DisplaysTaken"), session.log()
    taken = re.findall(r":([0-9]+) by uid ([0-9]+) \(([^)]+)\)", end.reason)
    assert len({display for display, _, _ in taken}) == len(taken) == min(displays, 3)
    assert {(uid, name) for _, uid, name in taken} == {(str(stranger.uid), stranger.name)}
    assert os.uname().nodename in end.reason and "another node" in end.reason
    session.assert_nothing_left()


# The moment between claim and start: the claim is passed over, as if it had just been lost.
START = """
import asyncio, json, os, sys
from pathlib import Path
from moonlight_spawner.agent.display.xserver import XServer, XServerFailed
display, home = int(sys.argv[1]), Path(sys.argv[2])
async def main():
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    server = XServer(display, (640, 480), home / "xauthority", env, home / "xserver.log")
    try:
        await server.start()
        result = "started"
    except XServerFailed as e:
        result = str(e)
    finally:
        await server.stop()
    return [result, server.child.running, (home / "xauthority").read_bytes()[-16:].hex()]
print(json.dumps(asyncio.run(main())))
"""


def start_x(user: TestUser, display: int) -> tuple[str, bool, str]:
    done = run_as(user, [sys.executable, "-c", START, str(display), str(user.home)], check=True)
    result, running, cookie = json.loads(done.stdout)
    return result, running, cookie


def test_an_x_server_of_ones_own_starts_and_leaves_nothing(user: TestUser) -> None:
    display = Ranges().display
    result, running, _ = start_x(user, display)
    assert (result, running) == ("started", False)
    assert not any(os.path.lexists(name) for name in names(display))


@pytest.mark.parametrize("place", [0, 1], ids=["abstract", "file"])
def test_who_takes_the_socket_in_between_is_not_spoken_to(
    user: TestUser, stranger: TestUser, place: int
) -> None:
    display = Ranges().display
    name = names(display)[place]
    with squatting(stranger, name) as squatter:
        result, running, cookie = start_x(user, display)
        assert result != "started" and not running
        assert "X server" in result
        assert squatter.heard() == "", "something was said to a stranger"
        assert len(cookie) == 32
    if place:
        assert Path(name).is_socket() and os.stat(name).st_uid == stranger.uid
        os.unlink(name)
    lock = Path(names(display)[2])
    assert not lock.exists()
