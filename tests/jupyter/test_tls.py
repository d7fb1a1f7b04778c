"""A Jupyter server that speaks TLS itself relays streams as well."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket

from tests.support.waiting import PATIENCE

from .host import CHUNK, GREETING, PAGE
from .node import Node
from .process import Portal
from .sessions import Records, a_process


@pytest.fixture(scope="module")
def sessions_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls") / "sessions"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, sessions_dir: Path) -> Iterator[Portal]:
    directory = tmp_path_factory.mktemp("tls-server")
    certificate, key = str(directory / "cert.pem"), str(directory / "key.pem")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-out", certificate, "-keyout", key]
    subprocess.run(argv, check=True, capture_output=True)
    with Portal(directory, sessions_dir, "/", {"certfile": certificate, "keyfile": key}) as server:
        yield server


@pytest.fixture
def stream(sessions_dir: Path, node: Node) -> Iterator[str]:
    with a_process() as job:
        session_id = Records(sessions_dir, job).add(gateway=node.gateway)
        yield f"moonlight/sessions/{session_id}/desktop/"


def connect(server: Portal, path: str) -> websocket.WebSocket:
    return websocket.create_connection(
        server.url.replace("http", "ws", 1) + path,
        header={"Authorization": f"token {server.token}"},
        origin=server.url.rstrip("/"),
        sslopt={"cert_reqs": ssl.CERT_NONE},
        timeout=PATIENCE,
    )


def test_pages_pass(server: Portal, stream: str) -> None:
    with server.client() as client:
        assert client.get(stream).content == PAGE
        assert len(client.get(stream + "download?n=3000000").content) == 3_000_000


def test_websocket_messages_pass_both_ways(server: Portal, stream: str) -> None:
    socket = connect(server, stream + "echo")
    assert socket.recv() == GREETING
    for size in (0, 1, 125, 126, 65_000):
        socket.send_binary(CHUNK[:size])
        assert socket.recv() == CHUNK[:size]
    socket.shutdown()


def test_a_flood_that_is_read_late_arrives_whole(server: Portal, stream: str, node: Node) -> None:
    socket = connect(server, stream + "pump")
    assert socket.recv() == GREETING
    for _ in range(300):
        assert socket.recv() == CHUNK[:60_000]
    socket.shutdown()


def test_both_ends_learn_that_the_other_left(server: Portal, stream: str, node: Node) -> None:
    socket = connect(server, stream + "echo")
    assert socket.recv() == GREETING
    node.go_away()
    with pytest.raises((websocket.WebSocketConnectionClosedException, OSError)):
        socket.recv()
    socket.shutdown()
