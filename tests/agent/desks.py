"""Sessions through the command line, as a user of a machine without a batch system has them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from moonlight_spawner.model.account import path_name

from tests.cluster.processes import Process
from tests.cluster.users import TestUser, run_as
from tests.support.cli import lister
from tests.support.waiting import wait_for, wait_until

from .sessions import DeskSession

# Leaves its session, its group and its parent, and hears neither TERM nor HUP.
DAEMON = "trap '' TERM HUP; exec sleep 7431"


class LocalSession(DeskSession):
    """A session under the local runner."""

    @property
    def runner_pid(self) -> int:
        return int(json.loads((self.directory / "local.json").read_bytes())["pid"])

    @property
    def guardian_pid(self) -> int:
        return _only_child(self.runner_pid)

    @property
    def agent_pid(self) -> int:
        return _only_child(self.guardian_pid)


def _only_child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1, children
    return int(children[0])


class LocalDesk:
    """``moonlight-hpc session …`` of one user."""

    def __init__(self, user: TestUser, env: Mapping[str, str]):
        self.user = user
        self.env = dict(env)
        self.sessions: list[LocalSession] = []

    def run(self, *arguments: str) -> Any:
        argv = [sys.executable, "-m", "moonlight_spawner", "session", *arguments, "--json"]
        done = run_as(self.user, argv, env=self.env, check=True)
        return json.loads(done.stdout)

    def create(self, *arguments: str) -> LocalSession:
        return self.adopt(self.run("create", *arguments)["session_id"])

    def adopt(self, session_id: str) -> LocalSession:
        """One that was started in another way; it ends with the test, too."""
        root = Path(self.env["MOONLIGHT_HPC_SESSIONS_DIR"]) / path_name(self.user.name)
        self.sessions.append(LocalSession(self.user, root / session_id))
        return self.sessions[-1]

    def on_record(self) -> set[str]:
        """The ids of all sessions whose record has been begun."""
        root = Path(self.env["MOONLIGHT_HPC_SESSIONS_DIR"]) / path_name(self.user.name)
        return {facts.parent.name for facts in root.glob("*/facts.json")}

    def look(self, session: DeskSession) -> dict[str, Any]:
        """The session as the user sees it now."""
        (found,) = [s for s in self.run("list", "--all") if s["session_id"] == session.id]
        return dict(found)

    def wait(
        self,
        session: DeskSession,
        condition: Callable[[dict[str, Any]], object],
    ) -> dict[str, Any]:
        told: dict[str, Any] = {}

        def met() -> object:
            told.update(next(s for s in listed() if s["session_id"] == session.id))
            return condition(told)

        with lister(self.user, self.env) as listed:
            assert wait_until(met, interval=0.2), f"{told}\n{session.log()}"
        return told

    def close(self) -> None:
        for session in self.sessions:
            if session.directory.exists() and self.look(session)["ended_at"] is None:
                self.run("stop", session.id, "--wait")


def remove_files(session: DeskSession) -> None:
    """What a session left on the node that nobody survived to remove."""
    for name in session.leftovers():
        assert name.startswith("/tmp/"), name
        path = Path(name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def start_in_desktop(session: DeskSession, command: str) -> Process:
    """Run a shell command as the desktop's programs run, forked twice and in a session of its own.

    It gets the environment of the desktop and becomes a descendant of it: its parent is a
    process of the desktop for a moment only.
    """
    before = set(session.processes())
    environment = session.desktop_environment()
    # Through the desktop's own D-Bus daemon, which starts programs for whoever asks: so the
    # program comes from within the session and not from this test.
    mark = f"mlt-{time.monotonic_ns()}"
    services = Path(environment["HOME"], ".local/share/dbus-1/services")
    service = services / f"org.moonlight.{mark.replace('-', '')}.service"
    script = service.with_suffix(".sh")
    run_as(session.user, ["mkdir", "-p", str(services)], check=True)
    script.write_text(f'#!/bin/sh\n(setsid nohup /bin/sh -c "{command}" >/dev/null 2>&1 &)\n')
    script.chmod(0o755)
    service.write_text(f"[D-BUS Service]\nName={service.stem}\nExec={script}\n")
    os.chown(script, session.user.uid, session.user.gid)
    bus = {"DBUS_SESSION_BUS_ADDRESS": environment["DBUS_SESSION_BUS_ADDRESS"]}
    send = ["dbus-send", "--session", "--dest=org.freedesktop.DBus", "--print-reply"]
    run_as(session.user, [*send, "/", "org.freedesktop.DBus.ReloadConfig"], env=bus, check=True)
    start = ["org.freedesktop.DBus.StartServiceByName", f"string:{service.stem}", "uint32:0"]
    # It starts at once and never says that it is there: nobody waits for that.
    run_as(session.user, [*send, "--reply-timeout=1", "/", *start], env=bus)

    def found() -> list[int]:
        return [p for p, c in session.processes().items() if c == "sleep 7431" and p not in before]

    pid = wait_for(found)[0]
    service.unlink()
    script.unlink()
    return Process.of(pid)
