"""A user's own records put beside ours, and an agent's words, which may come in any order."""

from __future__ import annotations

import pytest
from moonlight_spawner.model.errors import LimitReached
from moonlight_spawner.model.records import AgentStatus, Job, Missed, Stop
from moonlight_spawner.store.redis import RedisStore

from .sessions import ALICE, BOB, ID, OF_BOB, OTHER, end, facts, get, put


def test_what_is_adopted_takes_the_place_of_what_was_there(store: RedisStore) -> None:
    assert store.adopt(ALICE, ID, {"facts": facts(), "missed": Missed()})
    assert store.live() == [(ALICE, ID)]
    assert store.adopt(ALICE, ID, {"job": Job(job_id="7"), "missed": None, "seen": None})
    assert set(store.snapshot(ALICE).parts(ALICE, ID)) == {"facts", "job"}
    assert store.adopt(ALICE, ID, {"end": end()})
    assert store.live() == [] and store.ids(ALICE) == [ID]


def test_the_same_again_is_no_change(store: RedisStore) -> None:
    parts = {"facts": facts(), "job": Job(job_id="7"), "end": end(), "missed": None}
    assert store.adopt(ALICE, ID, parts)
    before = store.snapshot(ALICE)
    assert not store.adopt(ALICE, ID, parts)
    before.beside(ALICE, ID)["made"] = "once"
    assert store.snapshot(ALICE).beside(ALICE, ID) == {"made": "once"}
    put(store, stop=Stop())
    assert store.snapshot(ALICE).beside(ALICE, ID) == {}


def test_older_words_do_not_take_the_place_of_newer_ones(store: RedisStore) -> None:
    store.adopt(ALICE, ID, {"facts": facts()})
    for rank, phase, kept in (("2", "running", True), ("1", "starting", False), ("2", "x", False)):
        status = AgentStatus(phase=phase)
        assert store.put_newer(ALICE, ID, "status", status, rank) is kept
    found = get(store, "status", AgentStatus)
    assert found and found.phase == "running"


def test_words_of_a_session_that_is_not_on_record_are_not_kept(store: RedisStore) -> None:
    """Nor does what was read before a session was forgotten bring it back."""
    assert not store.put_newer(ALICE, OTHER, "status", AgentStatus(), "1")
    assert not store.put_newer(ALICE, OTHER, "seen", Stop())
    assert store.ids(ALICE) == [] and store.snapshot(ALICE).parts(ALICE, OTHER) == []


def test_no_more_sessions_of_a_user_are_kept_than_his_side_may_have(store: RedisStore) -> None:
    """A launch is answered by his side, with a record: of a new session each time, if he likes."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [f"ml-alice-aaaaaaaa{a}{b}" for a in letters for b in letters]
    for name in names[:256]:
        assert store.adopt(ALICE, name, {"facts": facts(name)})
    with pytest.raises(LimitReached, match="alice has too many sessions"):
        store.adopt(ALICE, names[256], {"facts": facts(names[256])})
    assert len(store.ids(ALICE)) == 256
    assert store.adopt(ALICE, names[0], {"job": Job(job_id="7")}), "those that are there go on"
    assert store.adopt(BOB, OF_BOB, {"facts": facts(OF_BOB, BOB)})
    store.remove(ALICE, names[0])
    assert store.adopt(ALICE, names[256], {"facts": facts(names[256])})
