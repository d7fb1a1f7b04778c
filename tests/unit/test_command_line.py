"""`moonlight-hpc` as a process: who it takes its user for, and what it says when it cannot begin."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from moonlight_spawner.records import Facts, Job
from moonlight_spawner.session import Resources, new_session_id
from moonlight_spawner.store import FileStore

from tests.support.waiting import PATIENCE

ME = pwd.getpwuid(os.geteuid()).pw_name


def run(sessions: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "MOONLIGHT_HPC_SCHEDULER": "local",
        "MOONLIGHT_HPC_SESSIONS_DIR": str(sessions),
    }
    return subprocess.run(
        [sys.executable, "-m", "moonlight_spawner", *arguments],
        env={**os.environ, **settings, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def put_session(sessions: Path, resources: Resources) -> str:
    store = FileStore(sessions)
    session_id = new_session_id(ME)
    facts = Facts(
        session_id=session_id,
        user=ME,
        image_id="desktop",
        image_name="Desktop",
        host="selkies",
        scheduler="local",
        request=resources,
    )
    store.put(ME, session_id, "facts", facts)
    store.put(ME, session_id, "job", Job(job_id=session_id))
    return session_id


@pytest.mark.parametrize("name", ["LOGNAME", "USER", "LNAME", "USERNAME"])
def test_the_user_is_the_account_and_not_what_the_shell_says(
    tmp_path: Path, resources: Resources, name: str
) -> None:
    session_id = put_session(tmp_path / "sessions", resources)
    done = run(tmp_path / "sessions", "session", "list", "--json", **{name: "bob"})
    assert done.returncode == 0, done.stderr
    assert [s["session_id"] for s in json.loads(done.stdout)] == [session_id]


@pytest.mark.parametrize("arguments", [("session", "list"), ("session", "create"), ("images",)])
def test_a_sessions_dir_that_cannot_be_made_is_named(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("")
    sessions = tmp_path / "file" / "sessions"
    done = run(sessions, *arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    for word in (str(sessions), "Not a directory", "sessions_dir"):
        assert word in done.stderr


def test_a_sessions_dir_that_others_may_change_is_named(shared_directory: Path) -> None:
    sessions = shared_directory / "sessions"
    sessions.mkdir()
    sessions.chmod(0o777)
    done = run(sessions, "session", "list")
    assert done.returncode == 1
    for word in (str(sessions), "not sticky", "sessions_dir"):
        assert word in done.stderr


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    done = run(tmp_path / "sessions", "session", "list", MOONLIGHT_HPC_FPS="5")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "fps is 5" in done.stderr and "10 to 120" in done.stderr


# Says that it is ending, waits until somebody has looked at that, and says how it ended.
ENDING = """#!/bin/sh
cd "$1" || exit 9
say() { echo "$1" > said; mv said status.json; }
say '{"phase": "stopping", "started_at": "'$(date -u +%FT%TZ)'", "beat": "'$(date -u +%FT%TZ)'"}'
rm -f seen.json
while ! [ -e seen.json ]; do sleep 0.05; done
say '{"phase": "ended", "end": {"state": "STATE", "code": "HostEnded", "reason": "It ended so."}}'
"""


@pytest.mark.parametrize("state", ["failed", "completed", "cancelled", "timeout"])
def test_who_waits_for_a_desktop_that_ends_waits_for_the_reason(tmp_path: Path, state: str) -> None:
    agent = tmp_path / "agent"
    agent.write_text(ENDING.replace("STATE", state))
    agent.chmod(0o755)
    settings = {"MOONLIGHT_HPC_AGENT_COMMAND": json.dumps([str(agent)])}
    settings["MOONLIGHT_HPC_HOST_DESKTOP"] = "always"
    created = run(tmp_path / "sessions", "session", "create", "--wait", **settings)
    assert created.returncode == 1, created.stdout
    assert created.stdout.splitlines()[-1].endswith(f"{state}: It ended so.")


def test_who_opens_a_desktop_that_ends_is_told_why(tmp_path: Path) -> None:
    agent = tmp_path / "agent"
    agent.write_text(ENDING.replace("STATE", "failed"))
    agent.chmod(0o755)
    settings = {"MOONLIGHT_HPC_AGENT_COMMAND": json.dumps([str(agent)])}
    settings["MOONLIGHT_HPC_HOST_DESKTOP"] = "always"
    created = run(tmp_path / "sessions", "session", "create", "--json", **settings)
    session_id = json.loads(created.stdout)["session_id"]
    opened = run(tmp_path / "sessions", "session", "open", session_id, **settings)
    assert opened.returncode == 1
    assert "failed: It ended so." in opened.stderr
