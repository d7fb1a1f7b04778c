"""What `session measure` says of a session in its job, and leaves behind on the node."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import psutil

from tests.cluster.users import TestUser
from tests.support.cli import Session, UserCli
from tests.support.waiting import wait_until


def beside_vnc(user: UserCli, session: Session) -> None:
    """Both columns are filled, the desktop is as it was, and nothing is left."""
    before, places = _programs(user.user.uid), runtimes_of(user.user)
    plot = user.user.home / "measured.svg"
    done = user.run(
        "session", "measure", session["session_id"], "--seconds", "1", "--json", "--plot", str(plot)
    )
    assert done.returncode == 0, done.stderr
    assert f"Measuring on node {session['node']}" in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["session_id"], found["resolution"]) == (session["session_id"], session["screen"])
    ours, vnc = found["ways"]
    assert ours["name"].startswith("Moonlight (selkies") and vnc["name"].startswith("TigerVNC")
    for way in (ours, vnc):
        assert 0 < way["frames_per_second"] <= 3 * found["fps"], way
        assert way["traffic_kb_per_s"] > 1 and way["cpu_percent"] > 0, way
        assert way["clicks"] and 0 < way["click_ms"] <= way["click_ms_p95"], way
    drawn = plot.read_text("utf-8")
    assert drawn.startswith("<?xml") and len(drawn) > 5000
    assert wait_until(lambda: _programs(user.user.uid) == before), _programs(user.user.uid)
    assert not runtimes_of(user.user) - places


def runtimes_of(user: TestUser) -> set[Path]:
    """Private directories of the user's sessions and measurements. Others' come and go meanwhile."""
    found = set()
    for one in Path("/tmp").glob("moonlight-*"):
        with contextlib.suppress(FileNotFoundError):
            if one.stat().st_uid == user.uid:
                found.add(one)
    return found


def _programs(uid: int) -> dict[int, str]:
    """X and streaming servers of the user, by their pids. What one of them has forked looks like it
    until it becomes the program that it is to be, and is none."""
    names = ("Xvfb", "Xtigervnc", "Xvnc", "selkies")
    found, parents = {}, {}
    for process in psutil.process_iter(["uids", "ppid", "cmdline"]):
        argv = " ".join(process.info["cmdline"] or [])
        if process.info["uids"].real == uid and any(name in argv for name in names):
            found[process.pid], parents[process.pid] = argv, process.info["ppid"]
    return {pid: argv for pid, argv in found.items() if found.get(parents[pid]) != argv}
