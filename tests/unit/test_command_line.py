"""`moonlight-hpc` as a process: who it takes its user for, and what it says when it cannot begin."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.model.records import Facts, Job
from moonlight_spawner.model.session import SESSION_ID, Resources, new_session_id
from moonlight_spawner.store import FileStore

from tests.cluster.users import (
    TestUser,
    as_user,
    ensure_users,
    remove_users,
    run_as,
    unique_names,
)
from tests.support.site import site_env
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


def test_all_that_is_known_of_a_desktop_is_told_with_its_logs(
    tmp_path: Path, resources: Resources
) -> None:
    sessions = tmp_path / "sessions"
    session_id = put_session(sessions, resources)
    (FileStore(sessions).directory(session_id) / "agent.log").write_text("one\ntwo\n")
    done = run(
        sessions, "session", "show", session_id, "--json", "--logs", "4", MOONLIGHT_HPC_LOGS_DIR=""
    )
    told = json.loads(done.stdout)
    assert (told["session_id"], told["logs"]["agent"]) == (session_id, "two\n")
    assert "logs" not in json.loads(run(sessions, "session", "show", session_id, "--json").stdout)
    gone = run(sessions, "session", "show", "ml-nobody-abcdefghij", "--json")
    assert gone.returncode == 1 and json.loads(gone.stdout)["error"]["code"] == "not_found"


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


# Is seen with its first step and then with all of them; ends when it is told to.
STARTING = """#!/bin/sh
cd "$1" || exit 9
say() { echo "$1" > said; mv said status.json; }
now=$(date -u +%FT%TZ)
head='"started_at": "'$now'", "beat": "'$now'", "steps": [{"id": "claim", "label": "Claim", "state": "done"}'
say '{"phase": "starting", '"$head"']}'
rm -f seen.json
while ! [ -e seen.json ]; do sleep 0.05; done
say '{"phase": "running", "notes": ["It is silent."], '"$head"',
  {"id": "gateway", "label": "Open", "state": "done"}],
  "gateway": GATEWAY}'
while ! [ -e stop.json ]; do sleep 0.05; done
say '{"phase": "ended", "end": {"state": "cancelled", "code": "Stopped", "reason": "You stopped it."}}'
"""


def test_who_waits_for_a_desktop_is_told_every_step_and_what_is_to_be_known_of_it(
    tmp_path: Path,
) -> None:
    agent = tmp_path / "agent"
    gateway = {"hosts": ["127.0.0.1"], "port": 1, "certificate": "PEM"}
    agent.write_text(STARTING.replace("GATEWAY", json.dumps(gateway)))
    agent.chmod(0o755)
    settings = {"MOONLIGHT_HPC_AGENT_COMMAND": json.dumps([str(agent)])}
    settings["MOONLIGHT_HPC_HOST_DESKTOP"] = "always"
    created = run(tmp_path / "sessions", "session", "create", "--wait", **settings)
    lines = created.stdout.splitlines()
    session_id = lines[0].split()[1]
    run(tmp_path / "sessions", "session", "stop", "--wait", session_id, **settings)
    assert created.returncode == 0, created.stderr
    assert lines[-5:-2] == ["✓ Claim", "✓ Open", "It is silent."]
    assert lines[-2].startswith(session_id) and "running" in lines[-2]
    assert lines[-1] == f"Open it with: moonlight-hpc session open {session_id}"


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"hours": 99}', "hours is 99, but this site allows 0.1 to 8"),
        ("{hours", "The request is not JSON"),
        (f'{{"image": "{"x" * 65536}"}}', "The request has over 65536 bytes"),
        (None, "cannot be read from"),
    ],
    ids=["a wrong field", "no JSON", "too long", "no file"],
)
def test_what_a_file_asks_of_here_is_checked_before_anything_starts(
    tmp_path: Path, text: str | None, told: str
) -> None:
    request = tmp_path / "request.json"
    if text is not None:
        request.write_text(text)
    here = run(tmp_path / "sessions", "here", "--json", "--request", str(request))
    assert here.returncode == 2
    error = json.loads(here.stdout)
    assert error["error"]["code"] == "invalid_request" and told in error["message"]
    assert json.loads(run(tmp_path / "sessions", "session", "list", "--json").stdout) == []


LOGINS = ["20231234", "9lab", "dom+user", "DOM\\user", "first last", "홍길동", "Upper.Case"]


@pytest.fixture(scope="module")
def logins() -> Iterator[list[TestUser]]:
    """Accounts with names as sites have them, with something before that is this run's own."""
    mark = unique_names(1)[0][4:]
    names = [f"{name}{mark}" for name in LOGINS]
    try:
        yield ensure_users(names)
    finally:
        remove_users(names)


# In the agent's place: it is given a directory that is there and its own. Meanwhile the command that
# started it writes records there, each under a name with a dot until it is whole.
LOOKS = """
import os, sys
names = sorted(name for name in os.listdir(sys.argv[1]) if name[0] != ".")
print(names, os.getcwd())
sys.exit(3)
"""


def as_login(
    user: TestUser, env: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    settings = {
        **site_env(user.home),
        "MOONLIGHT_HPC_SCHEDULER": "local",
        "MOONLIGHT_HPC_HOST_DESKTOP": "always",
        "MOONLIGHT_HPC_AGENT_COMMAND": json.dumps([sys.executable, "-I", "-c", LOOKS]),
        **env,
    }
    return run_as(user, [sys.executable, "-m", "moonlight_spawner", *arguments], env=settings)


def test_users_of_all_names_have_sessions(logins: list[TestUser], shared_directory: Path) -> None:
    """In one place that all share, where each has a directory of his own."""
    shared = shared_directory / "sessions"
    shared.mkdir()
    shared.chmod(0o1777)
    env = {"MOONLIGHT_HPC_SESSIONS_DIR": str(shared)}
    for user in logins:
        created = as_login(user, env, "session", "create", "--wait")
        assert "its log ends with: ['agent.log'" in created.stdout, created.stderr + created.stdout
        (listed,) = json.loads(as_login(user, env, "session", "list", "--all", "--json").stdout)
        assert listed["user"] == user.name
        assert SESSION_ID.fullmatch(listed["session_id"])
    assert len(list(shared.iterdir())) == len(logins)


@pytest.mark.parametrize("umask", [0o277, 0o777, 0o000, 0o137])
def test_an_odd_umask_spoils_neither_this_nor_the_next_call(
    logins: list[TestUser], umask: int
) -> None:
    user = logins[0]
    # As in a new home: nothing of ~/.local is there yet.
    home = {"MOONLIGHT_HPC_SESSIONS_DIR": str(user.home / f".local-{umask:o}/share/m/sessions")}
    argv = [sys.executable, "-m", "moonlight_spawner", "session", "create", "--wait"]
    agent = json.dumps([sys.executable, "-I", "-c", LOOKS])
    env = {**site_env(user.home), "MOONLIGHT_HPC_SCHEDULER": "local", **home}
    env |= {"MOONLIGHT_HPC_HOST_DESKTOP": "always", "MOONLIGHT_HPC_AGENT_COMMAND": agent}
    options = {**as_user(user, env), "umask": umask}
    odd = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    assert "its log ends with: ['agent.log'" in odd.stdout, odd.stderr + odd.stdout
    usual = as_login(user, home, "session", "create", "--wait")
    assert "its log ends with: ['agent.log'" in usual.stdout, usual.stderr + usual.stdout
    top = user.home / f".local-{umask:o}"
    for path in (top, *top.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert path.stat().st_mode & 0o777 == wanted, path


def test_a_session_whose_directory_is_closed_to_its_owner_can_be_removed(
    logins: list[TestUser],
) -> None:
    user = logins[1]
    made = json.loads(as_login(user, {}, "session", "create", "--wait", "--json").stdout)
    root = user.home / "sessions" / user.name
    (root / made["session_id"]).chmod(0)
    remove = (
        "from moonlight_spawner.store import FileStore; import sys; s = FileStore(sys.argv[1]); "
    )
    remove += "s.remove(s.user, sys.argv[2])"
    argv = [sys.executable, "-c", remove, str(root.parent), made["session_id"]]
    run_as(user, argv, check=True)
    assert not (root / made["session_id"]).exists()


# What a command loads from beside the standard library: each one's start pays for it, a user's at the
# terminal, a portal's for each question, an agent's in every job.
LOADED = """
import sys
from moonlight_spawner.cli.main import main
main(["session", "list"])
files = [(name, getattr(module, "__file__", None) or "") for name, module in sys.modules.items()]
print(*{name.partition(".")[0] for name, file in files if "-packages" in file})
"""


def test_a_list_loads_no_library_that_it_does_not_need(tmp_path: Path) -> None:
    settings = {"MOONLIGHT_HPC_SCHEDULER": "local", "MOONLIGHT_HPC_SESSIONS_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    needed = {"moonlight_spawner", "h11", "pydantic", "pydantic_core", "traitlets"}
    theirs = {"annotated_types", "typing_extensions", "typing_inspection"}
    found = {name for name in done.stdout.splitlines()[-1].split() if not name.startswith("_")}
    assert found <= needed | theirs
