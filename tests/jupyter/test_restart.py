"""Sessions are not the server's children: they go on whatever becomes of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket

from tests.support.waiting import PATIENCE, wait_for

from . import sessions
from .process import Portal

SESSIONS = "api/moonlight/sessions"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "server").mkdir()
    yield tmp_path / "server"
    sessions.stop_all(tmp_path / "sessions")


@pytest.fixture
def server(directory: Path) -> Iterator[Portal]:
    with Portal(directory, directory.parent / "sessions", "/") as server:
        yield server


def session(server: Portal, session_id: str) -> Any:
    with server.client() as client:
        return client.get(f"{SESSIONS}/{session_id}").json()


def test_a_session_outlives_a_server_that_is_killed(server: Portal) -> None:
    with server.client() as client:
        session_id = client.post(SESSIONS, json={}).json()["session_id"]
    server.kill()  # in the middle of the start

    server.start()
    wait_for(lambda: session(server, session_id)["status"] == "running")
    server.kill()

    server.start()
    with server.client() as client:
        listed = client.get(SESSIONS).json()["sessions"]
        assert [(s["session_id"], s["status"]) for s in listed] == [(session_id, "running")]
        stream = f"moonlight/sessions/{session_id}/desktop/"
        assert client.get(stream).status_code == 200
        assert video_comes(server, stream)
        client.delete(f"{SESSIONS}/{session_id}")
    wait_for(lambda: session(server, session_id)["status"] == "cancelled")


def test_a_server_that_stops_ends_its_streams_and_no_session(
    server: Portal, directory: Path
) -> None:
    with sessions.a_process() as job:
        session_id = sessions.Records(directory.parent / "sessions", job).add()
        with server.client() as client, client.stream("GET", "api/moonlight/events") as events:
            lines = events.iter_lines()
            assert "event: sessions" in (next(lines) for _ in range(5))
            server.process.terminate()
            with contextlib.suppress(httpx.TransportError):
                for _ in lines:  # to the end
                    pass
        server.stop()
        server.start()
        assert session(server, session_id)["status"] == "running"
        assert job.is_running()


def video_comes(server: Portal, stream: str) -> bool:
    """Whether a frame arrives; selkies refuses who comes twice in half a second."""
    while True:
        socket = websocket.create_connection(
            server.url.replace("http", "ws", 1) + stream + "api/websockets",
            header={"Authorization": f"token {server.token}"},
            suppress_origin=True,
            timeout=PATIENCE,
        )
        size = {"initialClientWidth": 800, "initialClientHeight": 600}
        settings = {"displayId": "primary", "framerate": 30, **size}
        socket.send("SETTINGS," + json.dumps(settings))
        while True:
            kind, data = socket.recv_data()
            if kind == websocket.ABNF.OPCODE_BINARY and data[:1] == b"\x04":
                socket.shutdown()
                return True
            if kind == websocket.ABNF.OPCODE_CLOSE:
                assert data.startswith((4029).to_bytes(2, "big")), data
                break
        time.sleep(0.2)
