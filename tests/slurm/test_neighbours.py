"""Users of one node are strangers to each other."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.users import run_as
from tests.slurm.conftest import MakeCli
from tests.slurm.measured import runtimes_of
from tests.support.cli import Session
from tests.support.waiting import PATIENCE, wait_until


def fetch(status: dict[str, Any], path: str, token: str | None = None) -> int:
    """HTTP status of the gateway's answer over TLS with its own certificate."""
    context = ssl.create_default_context(cadata=status["gateway"]["certificate"])
    context.check_hostname = False
    request = urllib.request.Request(f"https://127.0.0.1:{status['gateway']['port']}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, context=context, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as e:
        return e.code


def test_two_users_share_a_node_and_nothing_else(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    alice, bob = cli(slurm_users.alice), cli(slurm_users.bob)
    on_n1 = {"MOONLIGHT_HPC_SBATCH_OPTIONS": '["--nodelist=n1"]'}
    hers = alice.create(env=on_n1)["session_id"]
    his = bob.create(env=on_n1)["session_id"]
    a, b = alice.wait(hers, "running"), bob.wait(his, "running")
    assert a["node"] == b["node"] == "n1"
    assert a["display_num"] != b["display_num"]
    assert a["sunshine_port"] != b["sunshine_port"]

    status = {}
    token = {}
    for one, session in ((alice, a), (bob, b)):
        directory = one.directory(session["session_id"])
        status[one] = json.loads((directory / "status.json").read_text())
        token[one] = (directory / "token").read_text()
    assert fetch(status[alice], "/", token[alice]) == 200
    assert fetch(status[alice], "/", token[bob]) == 401
    assert fetch(status[alice], "/") == 401
    assert fetch(status[alice], "/api/websockets") == 401
    assert fetch(status[alice], f"/?token={token[alice]}") == 401

    def as_bob(*argv: str) -> int:
        return run_as(slurm_users.bob, list(argv)).returncode

    home = alice.directory(hers)
    assert as_bob("cat", str(home / "token")) != 0
    assert as_bob("ls", str(home)) != 0
    assert as_bob("xdpyinfo", "-display", f":{a['display_num']}") != 0
    runtimes = runtimes_of(alice.user)
    assert runtimes
    for runtime in runtimes:
        assert runtime.stat().st_mode & 0o777 == 0o700
        assert as_bob("ls", str(runtime)) != 0


def test_no_secret_is_in_an_argument_list(slurm_users: SlurmUsers, cli: MakeCli) -> None:
    alice = cli(slurm_users.alice)
    session = alice.wait(alice.create()["session_id"], "running")
    token = (alice.directory(session["session_id"]) / "token").read_text()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        assert token not in arguments, arguments


def test_ten_sessions_at_once_get_displays_and_ports_of_their_own(
    slurm_users: SlurmUsers, cli: MakeCli
) -> None:
    """Of twenty claims at once there is a test without desktops (tests/agent/test_claims.py)."""
    alice = cli(slurm_users.alice)
    eight_displays = {
        "MOONLIGHT_HPC_DISPLAY_MIN": "70",
        "MOONLIGHT_HPC_DISPLAY_MAX": "77",
        "MOONLIGHT_HPC_RESOLUTION": "640x480",
        "MOONLIGHT_HPC_MEMORY_GB": "1",
    }
    launching = [
        alice.start("session", "create", "--gpus", "0", "--json", env=eight_displays)
        for _ in range(10)
    ]
    ids = set()
    for process in launching:
        output, errors = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, errors
        ids.add(json.loads(output)["session_id"])
    assert len(ids) == 10

    settled = ("running", "failed")
    sessions: list[Session] = []

    def all_settled() -> bool:
        sessions[:] = [s for s in alice.sessions() if s["session_id"] in ids]
        return all(s["status"] in settled for s in sessions)

    assert wait_until(all_settled, interval=1), [(s["status"], s["reason"]) for s in sessions]
    running = [s for s in sessions if s["status"] == "running"]
    failed = [s for s in sessions if s["status"] == "failed"]
    assert sorted(s["display_num"] for s in running) == list(range(70, 78)), failed
    assert len({s["sunshine_port"] for s in running}) == 8
    assert all("No display is free" in s["reason"] and ":70 to :77" in s["reason"] for s in failed)
