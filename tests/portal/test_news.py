"""Sessions tell the portal how they are: real nodes' agents, through nginx with TLS, to a real service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moonlight_jupyter.portal.service import HANDLERS
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.model.session import new_session_id

from tests.support.waiting import wait_for

from .place import SLOWLY, Place
from .test_surface import path_of

SESSIONS = "/api/moonlight/sessions"
CALLBACK = "/api/moonlight/callback"


def test_a_session_tells_a_portal_that_was_away_meanwhile(place: Place) -> None:
    with place.client(place.token(place.alice)) as client:
        session_id = client.post(SESSIONS, json={}).json()["session_id"]
        (directory,) = (place.alice.home / "sessions").glob(f"*/{session_id}")
        assert place.stop() == 0
        wait_for(lambda: "the portal cannot be told" in _log(directory))
        place.start()
        wait_for(lambda: "the portal can be told again" in _log(directory))
        one = f"{SESSIONS}/{session_id}"
        found: dict[str, Any] = wait_for(lambda: _running(client.get(one).json()), interval=SLOWLY)
        assert {step["state"] for step in found["steps"]} == {"done"}, found
        wait_for(lambda: f'POST {CALLBACK}/{session_id} HTTP/1.1" 204' in _nginx(place))

        kept = directory / "callback.json"
        assert kept.stat().st_mode & 0o777 == 0o600 and kept.stat().st_uid == place.alice.uid
        token = json.loads(kept.read_text())["token"]
        _is_told_to_nobody(token, place, client.get(f"{one}/logs").text + client.get(one).text)
        _opens_nothing_else(token, session_id, place)

        client.delete(one)
        wait_for(lambda: client.get(one).json()["ended_at"], interval=SLOWLY)


def _running(session: dict[str, Any]) -> dict[str, Any] | None:
    assert not session["ended_at"], session
    return session if session["status"] == "running" else None


def _is_told_to_nobody(token: str, place: Place, answers: str) -> None:
    assert token not in answers + _nginx(place) + place.log.read_text()
    secret = token.encode()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                assert secret not in (process / name).read_bytes(), process
            except OSError:  # it has ended
                continue


def _opens_nothing_else(token: str, session_id: str, place: Place) -> None:
    status = AgentStatus(sequence=1, phase="ended").model_dump_json()
    with place.client(token) as client:
        for pattern, *_ in HANDLERS:
            answer = client.get(path_of(pattern))
            assert answer.status_code in (302, 401, 403, 404, 405, 426), (pattern, answer.text)
        other = new_session_id(str(place.alice))
        assert client.post(f"{CALLBACK}/{other}", content=status).status_code == 401
        # An old word is heard, and is not news.
        assert client.post(f"{CALLBACK}/{session_id}", content=status).status_code == 204
    with place.client(place.token(place.alice)) as client:
        answer = client.post(f"{CALLBACK}/{session_id}", content=status)
        assert answer.status_code == 401, "her login is none of this session"
        assert client.get(f"{SESSIONS}/{session_id}").json()["status"] == "running"


def _log(directory: Path) -> str:
    log = directory / "agent.log"
    return log.read_text() if log.exists() else ""


def _nginx(place: Place) -> str:
    return (place.log.parent / "nginx/access.log").read_text()
