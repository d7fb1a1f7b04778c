"""Another user sits where the session's X server is to be: he gets nothing, and nobody joins him."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent.node.claims import NothingFree, claim_display

from tests.cluster.users import TestUser, run_as

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
