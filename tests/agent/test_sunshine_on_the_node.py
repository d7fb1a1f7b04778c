"""Sunshine as a node's users really have it: packed, wrapped, too old, alone, in trouble."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from moonlight_spawner.agent.hosts.sunshine import words

from tests.cluster.processes import Process
from tests.cluster.users import TestUser
from tests.support.gateway import SessionGateway
from tests.support.reachable import no_gpu
from tests.support.waiting import PATIENCE, wait_until

from .conftest import Launch
from .sessions import AgentSession
from .test_sunshine_encoders import site

APP = 958645192
# What an AppImage's runtime and its AppRun do: no exec, and a mount by a set-user-ID program
# unless it is told to unpack itself.
APPIMAGE = """\
#!/bin/bash
if [ "$APPIMAGE_EXTRACT_AND_RUN" != 1 ]; then
  echo 'fuse: mount failed: Operation not permitted'; exit 127
fi
mkdir "$TMPDIR/appimage_extracted" && echo "unpacked into $TMPDIR"
{real} "$@"
"""
# Before v2026.816 no Sunshine knew bind_address; an unknown key is a line in the log.
OLD = """\
#!/bin/bash
sed -i /^bind_address/d "$1"
exec {real} "$@"
"""


@pytest.fixture
def bin_directory(user: TestUser) -> Iterator[Path]:
    """A directory of programs in the user's home."""
    directory = user.home / "bin"
    directory.mkdir()
    yield directory
    shutil.rmtree(directory)


def put_sunshine(directory: Path, text: str, env: dict[str, str]) -> str:
    real = " ".join(f"'{word}'" for word in json.loads(env["MOONLIGHT_HPC_SUNSHINE_COMMAND"]))
    program = directory / "sunshine"
    program.write_text(text.replace("{real}", real))
    program.chmod(0o755)
    return str(program)


def sunshine(session: AgentSession) -> int:
    base = session.status.sunshine_port
    found = [
        c.pid
        for c in psutil.net_connections("tcp")
        if c.status == psutil.CONN_LISTEN and c.laddr.port == base
    ]
    assert len(found) == 1 and found[0]
    return found[0]


def test_an_appimage_in_the_users_own_bin_directory(
    launch: Launch, user: TestUser, bin_directory: Path
) -> None:
    env = site(user)
    put_sunshine(bin_directory, APPIMAGE, env)
    path = f"{bin_directory}:{no_gpu()}:/usr/local/bin:/usr/bin:/bin"
    session = launch(
        env=env | {"MOONLIGHT_HPC_SUNSHINE_COMMAND": '["sunshine"]'}, job={"PATH": path}
    )
    assert session.wait_running().encoder == "libx264 [software]"
    assert "unpacked into /tmp/moonlight-" in session.log("stream")
    assert str(bin_directory) not in session.desktop_environment()["PATH"]
    session.ask_to_stop()
    session.wait_ended()
    # The shell around it dies of TERM at once; the program itself had its time to end.
    assert "Terminate handler called" in session.log("stream")
    session.assert_nothing_left()


def test_a_sunshine_that_is_open_to_the_network_is_not_used(
    launch: Launch, user: TestUser, bin_directory: Path
) -> None:
    env = site(user)
    program = put_sunshine(bin_directory, OLD, env)
    session = launch(env=env | {"MOONLIGHT_HPC_SUNSHINE_COMMAND": json.dumps([program])})
    assert session.wait_exit() == 1
    end = session.status.end
    assert end and "listens on 0.0.0.0, though it was told 127.0.0.1" in end.reason
    assert "v2026.816" in end.reason
    session.assert_nothing_left()


def test_without_a_browsers_client_native_ones_have_their_desktop(
    launch: Launch, user: TestUser
) -> None:
    env = site(user) | {
        "MOONLIGHT_HPC_NATIVE_CLIENTS": "true",
        "MOONLIGHT_HPC_MOONLIGHT_WEB_COMMAND": '["no-such-web-server"]',
    }
    session = launch(env=env)
    notes = session.wait_running().notes
    assert any("no-such-web-server" in n and "Only native Moonlight" in n for n in notes), notes
    answer = session.ask("/", session.token)
    assert answer.status == 502 and json.loads(answer.body)["error"]["code"] == "native_only"
    native = session.ask("/control/native", session.token)
    assert native.status == 200
    where = json.loads(native.body)
    assert where["available"] and where["port"] == session.status.sunshine_port
    with socket.create_connection((where["address"], where["port"]), timeout=PATIENCE):
        pass


def test_the_browsers_client_comes_back_beside_a_sunshine_that_goes_on(
    launch: Launch, user: TestUser
) -> None:
    session = launch(env=site(user))
    session.wait_running()
    before = sunshine(session)
    for pid, command in session.processes().items():
        if "web-server" in command:
            Process.of(pid).signal(signal.SIGKILL)
    assert wait_until(lambda: any("started again" in n for n in session.status.notes))
    assert session.ask("/stream.html", session.token).status == 200
    assert sunshine(session) == before


def native_port(session: AgentSession) -> int:
    """What the page tells users of native clients."""
    answer = session.ask("/control/native", session.token)
    assert answer.status == 200
    return int(json.loads(answer.body)["port"])


def test_a_sunshine_whose_stream_ports_are_taken_meanwhile_moves(
    launch: Launch, user: TestUser
) -> None:
    """It binds them when a stream begins, and crashes if one is taken then."""
    session = launch(env=site(user) | {"MOONLIGHT_HPC_NATIVE_CLIENTS": "true"})
    before = session.wait_running().sunshine_port
    assert before and native_port(session) == before
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", before + 10))
        os.kill(sunshine(session), signal.SIGSEGV)
        assert wait_until(lambda: any("started again" in n for n in session.status.notes))
        after = session.status.sunshine_port
    assert after and after != before
    assert session.ask("/stream.html", session.token).status == 200
    # Who was told the old ports is told the new ones.
    status = session.status
    assert any(f"Its ports begin at {after} now, no longer at {before}" in n for n in status.notes)
    assert f"ports from {after}" in status.steps[0].detail
    assert native_port(session) == after


def test_streams_start_one_after_the_other(launch: Launch, user: TestUser) -> None:
    """Two at once end Sunshine (as tests/standins/sunshine_standin/streams.py does), so each waits for the
    picture of the one before; one that comes to none holds nobody once it has gone."""
    session = launch(env=site(user))
    session.wait_running()
    gateway = SessionGateway.of(session.directory)

    def waiting() -> int:
        return int(gateway.json("/healthz")[1]["waiting"])

    with ThreadPoolExecutor() as pool:
        stuck = gateway.asks("/signaling")
        others = [pool.submit(gateway.video, "/signaling", APP, 3) for _ in range(3)]
        assert wait_until(lambda: waiting() == 3)
        assert not any(other.done() for other in others)
        stuck.close()
        assert [other.result(PATIENCE) for other in others] == [3, 3, 3]
    health = gateway.json("/healthz")[1]
    assert health == {"status": "ok", "restarts": 0, "pausing": False, "waiting": 0}


def test_a_restart_that_cannot_write_its_files_is_tried_again_later(
    launch: Launch, user: TestUser
) -> None:
    session = launch(env=site(user))
    session.wait_running()
    runtime = Path(session.desktop_environment()["XAUTHORITY"]).parent
    os.chown(runtime / "sunshine", 0, 0)
    os.kill(sunshine(session), signal.SIGKILL)
    try:
        session.wait(lambda s: any("could not be started again" in n for n in s.notes))
        (note,) = [n for n in session.status.notes if "could not be started again" in n]
        assert "Permission denied" in note and "Your desktop is kept" in note, note
        assert session.status.phase == "running"
    finally:
        os.chown(runtime / "sunshine", user.uid, user.gid)

    def there() -> bool:  # who looks does not have to wait for the next try
        return session.ask("/stream.html", session.token).status == 200

    assert wait_until(there, interval=0.5), session.log()


def test_a_node_whose_name_begins_with_a_digit_still_has_an_address() -> None:
    code = "from moonlight_spawner.agent.node.addresses import native_address as a; print(a('0.0.0.0'))"
    in_a_container = 'hostname 3b1f0c9d2e7a && exec "$@"'
    done = subprocess.run(
        [*("unshare", "--uts", "sh", "-c", in_a_container, "sh"), sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    socket.inet_aton(done.stdout.strip())
    assert done.stdout.count(".") == 3


@pytest.mark.parametrize(
    "said",
    [  # sunshine-recordings/bind-address.txt
        "Fatal: Couldn't bind RTSP server to port [48121], Cannot assign requested address",
        "Error: Invalid bind address: localhost - Invalid argument",
        "Fatal: Couldn't bind RTSP server to port [48121], Invalid argument",
    ],
)
def test_an_address_that_cannot_be_bound_is_recognised(said: str) -> None:
    assert words.read(f"[2026-11-22 21:15:41.370]: {said}\n").bad_address
