"""What moonlight-web's page may do through the gateway, and what its server writes down."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cluster.users import TestUser
from tests.support.gateway import SessionGateway

from .conftest import Launch
from .sessions import AgentSession
from .test_sunshine_encoders import site

APP = 958645192
REFUSED = [
    ("DELETE", "/api/host?host_id=1"),
    ("PATCH", "/api/host"),
    ("PATCH", "/api/user"),
    ("PATCH", "/api/role"),
    ("POST", "/api/pair"),
    ("POST", "/api/host"),
    ("PUT", "/api/host"),
    ("DELETE", "/api//host?host_id=1"),
    ("DELETE", "/%61pi/host?host_id=1"),
    ("DELETE", "/node/n1/80/api/host?host_id=1"),
    ("POST", "/api/login"),
    ("POST", "/stream.html"),
    ("OPTIONS", "/api/host/stream/webrtc"),
]


def secret_user(session: AgentSession) -> str:
    runtime = Path(session.desktop_environment()["XAUTHORITY"]).parent
    data = json.loads((runtime / "web/server/data.json").read_text())
    return str(data["users"]["1"]["name"])


def test_a_page_streams_and_cannot_take_the_stream_away(launch: Launch, user: TestUser) -> None:
    session = launch(env=site(user))
    session.wait_running()
    gateway = SessionGateway.of(session.directory)
    for method, path in REFUSED:
        status, answer = gateway.json(path, method, {"host_id": 1})
        assert (status, answer["error"]["code"]) == (403, "not_for_pages"), (method, path)
    assert gateway.request("/api/hosts")[0] == 200
    assert gateway.request("/api/apps?host_id=1")[0] == 200
    assert gateway.video("/signaling", APP, 3) == 3
    # After it, for its end: the one change that a stream's page makes.
    assert gateway.request("/api/host/cancel", "POST", {"host_id": 1})[0] == 200

    secret = secret_user(session)
    session.ask_to_stop()
    session.wait_ended()
    logs = {
        path.name: path.read_text("utf-8", "replace") for path in session.directory.glob("*.log")
    }
    assert "stream.log" in logs
    assert not [name for name, text in logs.items() if secret in text or session.token in text]
