"""The service answers as its OpenAPI document says, whatever it is asked."""

from __future__ import annotations

from pathlib import Path

from tests.support.fuzzing import fuzz
from tests.support.waiting import wait_for

from .place import SLOWLY, Place

SESSIONS = "/api/moonlight/sessions"
# What only a portal has. The rest is the code of tests/jupyter/test_described.py, where no answer
# costs a process of the user's.
_THOROUGHLY = "/(login|logout)$"
# They take away the one session, which has ended, from what is asked next.
_DELETES_IT = "^DELETE .*/(sessions|record)$"


def test_as_the_document_says(place: Place, tmp_path: Path) -> None:
    with place.client(place.token(place.alice)) as client:
        made = client.post(SESSIONS, json={}).json()["session_id"]
        client.delete(f"{SESSIONS}/{made}")
        wait_for(lambda: client.get(f"{SESSIONS}/{made}").json()["ended_at"], interval=SLOWLY)
    with place.beside(portal_requests_per_minute=0, portal_launches_per_minute=0) as patient:
        document = f"{patient.origin}/api/moonlight/openapi.json"
        token = f"Bearer {place.token(place.alice)}"
        fuzz(
            document,
            token,
            tmp_path,
            {"path.session_id": made, "query.user": str(place.alice)},
            4,
            _THOROUGHLY,
            _DELETES_IT,
        )
    assert "Traceback" not in patient.log.read_text()
