"""Sunshine's browser client listens on the loopback of a node that others use too."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from moonlight_spawner.agent.node.claims import WEB_OFFSET
from moonlight_spawner.relay.upstream import Target, UpstreamError, call

from tests.cluster.users import TestUser, as_user
from tests.support.waiting import PATIENCE, wait_for, wait_until

from .conftest import Launch
from .sessions import AgentSession
from .test_sunshine_encoders import site

STRANGER = """
import select, socket, sys
ports = [int(p) for p in sys.argv[2:]]
listeners = []
for port in ports:
    listener = socket.create_server(("127.0.0.1", port))
    listeners.append(listener)
print("ready", flush=True)
while True:
    for one in select.select(listeners, [], [])[0]:
        connection, _ = one.accept()
        connection.settimeout(1)
        try:
            heard = connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nOWNED")
        except OSError:
            heard = b""
        connection.close()
        print(heard.hex(), flush=True)
"""


@contextmanager
def squatting(stranger: TestUser, *ports: int) -> Iterator[list[str]]:
    """Another user answers on these ports of the loopback; gives what he has heard so far."""
    process = subprocess.Popen(
        [sys.executable, "-c", STRANGER, "x", *map(str, ports)],
        stdout=subprocess.PIPE,
        text=True,
        **as_user(stranger, None),
    )
    heard: list[str] = []
    assert process.stdout
    assert process.stdout.readline() == "ready\n"

    def listen() -> None:
        assert process.stdout
        heard.extend(line.strip() for line in process.stdout)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        process.kill()
        process.wait()
        thread.join(PATIENCE)


def user_name(session: AgentSession) -> str:
    """The secret name by which moonlight-web knows its one user."""
    runtime = Path(session.desktop_environment()["XAUTHORITY"]).parent
    data = json.loads((runtime / "web/server/data.json").read_text())
    return str(data["users"]["1"]["name"])


def test_a_block_whose_web_port_is_a_strangers_is_not_taken(
    launch: Launch, user: TestUser, stranger: TestUser
) -> None:
    env = site(user)
    first = int(env["MOONLIGHT_HPC_PORT_MIN"]) + 5
    taken = [first + 32 * block + WEB_OFFSET for block in range(5)]
    with squatting(stranger, *taken) as heard:
        session = launch(env=env)
        status = session.wait_running()
        assert status.sunshine_port == first + 32 * 5
        assert b"OWNED" not in session.ask("/stream.html", session.token).body
    assert heard == []


def test_nothing_is_sent_to_a_stranger_who_takes_the_port_of_a_client_that_ended(
    launch: Launch, user: TestUser, stranger: TestUser
) -> None:
    session = launch(env=site(user))
    port = (session.wait_running().sunshine_port or 0) + WEB_OFFSET
    secret = user_name(session)
    agent = session.agent
    agent.signal(signal.SIGSTOP)  # it would else be started again before the stranger is there
    for pid, command in session.processes().items():
        if "web-server" in command:
            with suppress(ProcessLookupError):  # one of them goes with the other
                os.kill(pid, signal.SIGKILL)
    wait_for(lambda: _free(port))
    with squatting(stranger, port) as heard:
        agent.signal(signal.SIGCONT)
        answers = []

        def answered() -> bool:
            answers.append(session.ask("/stream.html", session.token))
            return answers[-1].status == 200

        # It is started again, in another block.
        assert wait_until(answered, interval=0.2), session.log()
        assert not any(b"OWNED" in answer.body for answer in answers)
        # It may answer a moment before it is on record.
        assert wait_until(lambda: any("stream ended" in n for n in session.status.notes))
    assert secret not in "".join(bytes.fromhex(line).decode("latin-1") for line in heard)


def test_a_port_of_somebody_else_is_not_spoken_to(user: TestUser, stranger: TestUser) -> None:
    port = _any_free_port()
    with squatting(stranger, port) as heard:
        target = Target(addresses=("127.0.0.1",), port=port, uid=user.uid)
        with pytest.raises(UpstreamError, match="another user's port"):
            asyncio.run(call(target, "GET", "/", [(b"x-secret", b"s3cret")]))
        own = Target(addresses=("127.0.0.1",), port=port, uid=stranger.uid)
        assert asyncio.run(call(own, "GET", "/", [])) == (200, b"OWNED")
    assert "s3cret" not in "".join(bytes.fromhex(line).decode("latin-1") for line in heard)


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
