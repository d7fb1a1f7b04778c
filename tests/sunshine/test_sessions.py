"""Sessions that Sunshine streams, as jobs of a real Slurm."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.agent.sessions import Ranges
from tests.sunshine.conftest import with_knobs
from tests.support.cli import UserCli
from tests.support.gateway import SessionGateway
from tests.support.waiting import PATIENCE


def test_a_session_streams_to_the_browser_without_a_pin(alice: UserCli) -> None:
    session = alice.wait(alice.create()["session_id"], "running")
    assert session["host"] == "sunshine"
    # Its screen follows no window, and has the size that the record says.
    assert session["request"]["follow_window"] is False
    assert session["screen"] == session["request"]["resolution"]
    steps = {step["id"]: step["detail"] for step in session["steps"]}
    assert steps["picture"] == "libx264 [software]"
    assert any("encoded by CPU" in note for note in session["notes"])

    gateway = SessionGateway(alice, session)
    status, headers, _ = gateway.request("/")
    assert (status, headers["location"]) == (302, "stream.html?hostId=1&appId=958645192")
    status, _, page = gateway.request("/stream.html?hostId=1&appId=958645192")
    assert (status, b"<html" in page) == (200, True)
    status, headers, script = gateway.request("/config.js")
    assert status == 200 and headers["content-type"].startswith("text/javascript")
    assert b"path_prefix" in script and b"import.meta.url" in script
    status, _, hosts = gateway.request("/api/hosts")
    assert status == 200, hosts
    assert gateway.request("/", token=False)[0] == 401

    # Without a PIN: the stream of the client that both sides were told of before they started.
    assert gateway.video("/signaling", app=958645192, frames=5) == 5


def test_a_stranger_on_the_node_gets_nothing_from_the_loopback_ports(alice: UserCli) -> None:
    session = alice.wait(alice.create()["session_id"], "running")
    base = session["sunshine_port"]
    with socket.create_connection(("127.0.0.1", base + 15), timeout=PATIENCE) as web:
        web.sendall(
            b"GET /api/hosts HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-User: moonlight\r\n"
            b"Connection: close\r\n\r\n"
        )
        answer = web.makefile("rb").read()
    assert b" 401 " in answer.split(b"\r\n")[0]


def test_private_files_hold_the_secrets_and_argument_lists_do_not(alice: UserCli) -> None:
    session = alice.wait(alice.create()["session_id"], "running")
    gateway = SessionGateway(alice, session)
    runtimes = [
        p for p in Path("/tmp").glob("moonlight-*/sunshine") if p.stat().st_uid == alice.user.uid
    ]
    assert len(runtimes) == 1
    assert runtimes[0].parent.stat().st_mode & 0o777 == 0o700
    for path in runtimes[0].iterdir():
        if path.suffix in (".json", ".pem", ".conf"):
            assert path.stat().st_mode & 0o077 == 0, path
    web = json.loads((runtimes[0].parent / "web/server/data.json").read_text())
    secrets = [gateway.token, web["users"]["1"]["name"]]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_text("utf-8", "replace")
        except OSError:
            continue
        assert not any(secret in arguments for secret in secrets)


def test_several_sessions_share_a_node_with_a_foreign_program_in_a_block(
    alice: UserCli, site: dict[str, str]
) -> None:
    # Three blocks of 32, and a foreign listener in the first.
    ranges = Ranges(blocks=3)
    first = ranges.port + 5
    narrow = {**ranges.settings(), "MOONLIGHT_HPC_GPUS": "0"}
    with socket.create_server(("127.0.0.1", first + 1)):
        ids = [alice.create(env=narrow)["session_id"] for _ in range(3)]
        done = ("running", "failed")
        sessions = [alice.wait(i, lambda s: s["status"] in done) for i in ids]
    running = [s for s in sessions if s["status"] == "running"]
    assert sorted(s["sunshine_port"] for s in running) == [first + 32, first + 64]
    failed = [s for s in sessions if s["status"] == "failed"]
    assert len(failed) == 1 and "No block of ports is free" in failed[0]["reason"]


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"SOFTWARE": "0"}, "no encoder that works"),
        ({"DISPLAY": "none"}, "no display or no encoder"),
    ],
)
def test_a_sunshine_that_cannot_capture_or_encode_is_told_in_words(
    alice: UserCli, site: dict[str, str], knobs: dict[str, str], words: str
) -> None:
    env = {"MOONLIGHT_HPC_SUNSHINE_COMMAND": with_knobs(site, knobs)}
    ended = alice.wait(alice.create(env=env)["session_id"], "failed")
    assert words in ended["reason"]
    assert {s["id"]: s["state"] for s in ended["steps"]}["host"] == "failed"


def test_a_node_without_sunshine_or_its_web_client_says_which(alice: UserCli) -> None:
    env = {"MOONLIGHT_HPC_SUNSHINE_COMMAND": '["no-such-sunshine"]'}
    ended = alice.wait(alice.create(env=env)["session_id"], "failed")
    assert "Sunshine (no-such-sunshine) is not installed" in ended["reason"]
    env = {"MOONLIGHT_HPC_MOONLIGHT_WEB_COMMAND": '["no-such-web-server"]'}
    ended = alice.wait(alice.create(env=env)["session_id"], "failed")
    assert "no-such-web-server (moonlight-web-stream) is not installed" in ended["reason"]
