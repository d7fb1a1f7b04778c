"""The Hub is told a port once the server has it: another user of the node may wait for that moment."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cluster.users import (
    TestUser,
    as_user,
    ensure_users,
    remove_users,
    run_as,
    unique_names,
)
from tests.support.waiting import GRACE, PATIENCE, wait_for

TOKEN = "token-of-the-server"
# Starts as slowly as a Jupyter server does, and says before it listens where that will be.
SERVER = """
import os, pathlib, socket, sys, time
port = int(os.environ["JUPYTERHUB_SERVICE_URL"].rpartition(":")[2].strip("/"))
pathlib.Path("port.part").write_text(f"{port} {os.getpid()}")
pathlib.Path("port.part").rename("port")
while not pathlib.Path("go").exists():
    time.sleep(0.05)
with socket.create_server(("0.0.0.0", port)) as server:
    while True:
        server.accept()[0].close()
"""


class ToldHub(ThreadingHTTPServer):
    """What of a Hub hears ports: each with its token, and whether somebody listens there by then."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Told)
        self.told: list[tuple[str, int, bool]] = []
        self.status = 201
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Told(BaseHTTPRequestHandler):
    server: ToldHub

    def do_POST(self) -> None:
        port = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["port"]
        with socket.socket() as tried:
            there = tried.connect_ex(("127.0.0.1", port)) == 0
        self.server.told.append((self.headers["Authorization"], port, there))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[ToldHub]:
    with ToldHub() as hub:
        yield hub
        hub.shutdown()


@pytest.fixture(scope="module")
def alice() -> Iterator[TestUser]:
    names = unique_names(1)
    try:
        yield ensure_users(names)[0]
    finally:
        remove_users(names)


@pytest.fixture
def server(hub: ToldHub, alice: TestUser) -> Iterator[subprocess.Popen[str]]:
    for name in ("port", "go"):
        (alice.home / name).unlink(missing_ok=True)
    env = {
        "JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:0",
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{hub.server_port}/hub/api",
        "JUPYTERHUB_API_TOKEN": TOKEN,
        # The site's proxy would be shown the token.
        "http_proxy": "http://127.0.0.1:9/",
        "no_proxy": "",
    }
    argv = [sys.executable, "-I", "-m", "moonlight_spawner.hub.server"]
    argv += [sys.executable, "-c", SERVER]
    options = {**as_user(alice, env), "cwd": alice.home}
    process = subprocess.Popen(
        argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )
    yield process
    process.kill()
    process.communicate(timeout=GRACE)


def port_of(server: subprocess.Popen[str], home: Path) -> int:
    wait_for(lambda: (home / "port").exists() or server.poll() is not None)
    assert server.poll() is None, server.communicate()
    port, pid = map(int, (home / "port").read_text().split())
    assert pid == server.pid, "signals of the job reach the server"
    return port


def test_the_port_is_told_once_the_server_listens(
    server: subprocess.Popen[str], hub: ToldHub, alice: TestUser
) -> None:
    port = port_of(server, alice.home)
    (alice.home / "go").touch()
    wait_for(lambda: hub.told)
    assert hub.told == [(f"token {TOKEN}", port, True)]
    with pytest.raises(OSError), socket.socket(socket.AF_INET6) as half:
        half.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        half.bind(("::", port))


def test_a_port_that_somebody_else_has_taken_is_not_told(
    server: subprocess.Popen[str], hub: ToldHub, alice: TestUser
) -> None:
    port = port_of(server, alice.home)
    with socket.create_server(("0.0.0.0", port)):
        (alice.home / "go").touch()
        _, said = server.communicate(timeout=PATIENCE)
    assert f"Port {port} was taken by uid {os.geteuid()} before the server listened" in said
    assert "Address already in use" in said and TOKEN not in said
    assert hub.told == []


def test_a_server_that_the_hub_does_not_know_ends(
    server: subprocess.Popen[str], hub: ToldHub, alice: TestUser
) -> None:
    """Else it would have its job, which nobody sees, to the end of its time."""
    hub.status = 403
    port_of(server, alice.home)
    (alice.home / "go").touch()
    _, said = server.communicate(timeout=PATIENCE)
    assert server.returncode == -signal.SIGTERM and "status 403" in said and "it is ended" in said


def test_a_hub_that_is_busy_is_told_again(
    server: subprocess.Popen[str], hub: ToldHub, alice: TestUser
) -> None:
    hub.status = 503
    port_of(server, alice.home)
    (alice.home / "go").touch()
    wait_for(lambda: hub.told)
    hub.status = 201
    wait_for(lambda: len(hub.told) >= 2)
    assert server.poll() is None


def test_a_server_is_found_beside_its_python_where_the_path_is_a_services(alice: TestUser) -> None:
    env = {"JUPYTERHUB_SERVICE_URL": "http://0.0.0.0:0", "PATH": "/usr/bin:/bin"}
    argv = [sys.executable, "-I", "-m", "moonlight_spawner.hub.server"]
    done = run_as(alice, [*argv, "jupyterhub-singleuser", "--version"], env=env)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
