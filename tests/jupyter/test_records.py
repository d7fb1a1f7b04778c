"""Names of sessions and their end in the list, as the REST API's callers have them."""

from __future__ import annotations

import json

import pytest
from moonlight_spawner.model.session import End, State

from .conftest import Call
from .sessions import Records, current_user


def ended(records: Records) -> str:
    """A session that has ended, and whose job has."""
    session_id = records.add()
    end = End(state=State.COMPLETED, code="Ended", reason="It ended.")
    records.store.put_once(current_user(), session_id, "end", end)
    (records.store.directory(session_id) / "local.json").unlink()
    return session_id


async def test_a_session_is_renamed_in_the_list_and_alone(api: Call, records: Records) -> None:
    session_id = records.add()
    path = f"/sessions/{session_id}"
    before = (await api("GET", path)).json
    assert before["name"] == ""
    body = json.dumps({"name": " 유동 해석 "}).encode()
    renamed = await api("PATCH", path, body=body)
    assert renamed.status == 200 and renamed.json == {**before, "name": "유동 해석"}
    (listed,) = (await api("GET", "/sessions")).json["sessions"]
    assert listed == renamed.json
    for wrong in ({"name": "a\u202eb"}, {"name": "a", "hours": 9}, {"hours": 9}):
        refused = await api("PATCH", path, body=json.dumps(wrong).encode())
        assert (refused.status, refused.code) == (400, "invalid_request")
    assert (await api("GET", path)).json == renamed.json
    assert (await api("PATCH", "/sessions/ml-a-aaaaaaaaaa", name="a")).status == 404


async def test_what_has_ended_is_deleted_and_what_lives_is_not(api: Call, records: Records) -> None:
    lives, *gone = records.add(), *(ended(records) for _ in range(3))
    one = await api("DELETE", f"/sessions/{gone[0]}/record")
    assert (one.status, one.json) == (200, {"deleted": [gone[0]]})
    assert not records.store.directory(gone[0]).exists()
    assert (await api("GET", f"/sessions/{gone[0]}")).status == 404
    refused = await api("DELETE", f"/sessions/{lives}/record")
    assert (refused.status, refused.code) == (409, "session_lives")
    rest = await api("DELETE", "/sessions?live=false")
    assert set(rest.json["deleted"]) == set(gone[1:])
    (left,) = (await api("GET", "/sessions")).json["sessions"]
    assert (left["session_id"], left["status"]) == (lives, "running")


@pytest.mark.parametrize("query", ["", "?live=true", "?live=false&live=true", "?user=all"])
async def test_all_are_deleted_only_if_it_is_said(api: Call, records: Records, query: str) -> None:
    session_id = ended(records)
    assert (await api("DELETE", f"/sessions{query}")).status == 400
    assert records.store.directory(session_id).exists()


async def test_one_of_another_user_is_neither_named_nor_deleted(
    api: Call, records: Records
) -> None:
    session_id = records.of_another("somebody", ended(records))
    assert (await api("PATCH", f"/sessions/{session_id}", name="mine")).status == 404
    assert (await api("DELETE", f"/sessions/{session_id}/record")).status == 404
