"""Records in a real Redis: as they were put, once where it is once, each user's own."""

from __future__ import annotations

import pytest
from moonlight_spawner.model.errors import NotFound
from moonlight_spawner.model.records import AgentStatus, Facts, Job, Seen, Stop
from moonlight_spawner.model.session import now
from moonlight_spawner.store.base import Damaged
from moonlight_spawner.store.redis import RedisStore

from tests.support.redis import RedisServer
from tests.support.waiting import wait_for

from .conftest import KEEP_SECONDS, PREFIX, MakeStore
from .sessions import ALICE, BOB, ID, OF_BOB, OTHER, end, facts, get, put


def test_a_part_comes_back_as_it_was_put(store: RedisStore) -> None:
    assert get(store, "job", Job) is None and store.ids(ALICE) == []
    mine = facts()
    put(store, facts=mine, job=Job(job_id="7"))
    put(store, job=Job(job_id="8"))
    assert get(store, "job", Job) == Job(job_id="8") and get(store, "facts", Facts) == mine
    assert store.ids(ALICE) == [ID]
    assert sorted(store.snapshot(ALICE).parts(ALICE, ID)) == ["facts", "job"]
    put(store, job=None)
    assert get(store, "job", Job) is None and store.snapshot(ALICE).parts(ALICE, ID) == ["facts"]


def test_each_part_has_the_time_at_which_it_was_written(store: RedisStore) -> None:
    before = now()
    put(store)
    put(store, stop=Stop())
    then = store.snapshot(ALICE)
    written = then.written_at(ALICE, ID, "stop")
    assert written and before <= written <= now()
    assert then.written_at(ALICE, ID, "job") is None


def test_a_session_is_its_owners_alone(store: RedisStore, server: RedisServer) -> None:
    """Two names may have ids of one form, so the id alone tells nobody's session from another's."""
    put(store)
    before = contents(server)
    for attempt in (
        lambda: store.adopt(BOB, ID, {"stop": Stop()}),
        lambda: store.put_newer(BOB, ID, "status", AgentStatus(), "9"),
        lambda: store.remove(BOB, ID),
        lambda: store.put_secret(BOB, ID, "token", b"x"),
    ):
        with pytest.raises(NotFound):
            attempt()
    then = store.snapshot(BOB)
    assert store.ids(BOB) == [] and then.ids(BOB) == [] and then.parts(BOB, ID) == []
    assert then.written_at(BOB, ID, "facts") is None and store.secret(BOB, ID, "token") is None
    assert contents(server) == before


@pytest.mark.parametrize("session_id", ["..", "keys", "ml-alice", f"{ID}\n", "ml-" + "a" * 999])
def test_an_id_that_is_none_names_no_key(store: RedisStore, session_id: str) -> None:
    for attempt in (
        lambda: put(store, session_id),
        lambda: store.put_newer(ALICE, session_id, "seen", Job(job_id="7")),
        lambda: store.put_secret(ALICE, session_id, "token", b"x"),
        lambda: store.remove(ALICE, session_id),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert store.secret(ALICE, session_id, "token") is None and store.ids(ALICE) == []


def test_a_damaged_part_is_told_and_replaced(store: RedisStore, server: RedisServer) -> None:
    put(store)
    with server.client() as client:
        client.hset(f"{PREFIX}session:{ID}", mapping={"job": b"{", "@": "1"})
    found = store.snapshot(ALICE).look(ALICE, ID, "job", Job)
    assert isinstance(found, Damaged) and found.why
    assert f"job of {PREFIX}session:{ID}" in found.where
    put(store, job=Job(job_id="7"))
    assert get(store, "job", Job) == Job(job_id="7")


def test_an_ended_session_is_kept_for_the_sites_time(
    store: RedisStore, server: RedisServer
) -> None:
    put(store)
    put(store, OTHER)
    store.put_secret(ALICE, OTHER, "token", b"secret")
    assert sorted(store.live()) == [(ALICE, ID), (ALICE, OTHER)]
    with server.client() as client:
        session = f"{PREFIX}session:{OTHER}"
        assert client.ttl(session) == -1
        put(store, OTHER, end=end())
        assert 0 < client.ttl(session) <= KEEP_SECONDS
        assert client.ttl(f"{PREFIX}session:{ID}") == -1
        # What is learnt of it later does not bring it back.
        client.expire(session, 1000)
        store.put_newer(ALICE, OTHER, "status", AgentStatus(), "1")
        assert 0 < client.ttl(session) <= 1000
    assert store.live() == [(ALICE, ID)]
    assert sorted(store.ids(ALICE)) == [ID, OTHER]
    assert store.secret(ALICE, OTHER, "token") is None
    assert not store.put_secret(ALICE, OTHER, "token", b"secret")


def test_when_its_time_is_over_it_is_gone_everywhere(
    server: RedisServer, make_store: MakeStore
) -> None:
    store = make_store(server, keep=1.0)
    put(store, OTHER)
    put(store, OF_BOB, BOB)
    put(store, OTHER, end=end())
    assert sorted(store.snapshot_all().users()) == [ALICE, BOB]
    wait_for(lambda: store.ids(ALICE) == [])
    wait_for(lambda: store.snapshot_all().users() == [BOB])
    with server.client() as client:
        assert not client.keys(f"*{OTHER}*") and not client.exists(f"{PREFIX}user:{ALICE}")


def test_what_was_removed_has_left_nothing(store: RedisStore, server: RedisServer) -> None:
    for name in (ID, OTHER):
        put(store, name)
    store.remove(ALICE, ID)
    store.remove(ALICE, ID)
    assert store.ids(ALICE) == [OTHER] and store.live() == [(ALICE, OTHER)]
    store.remove(ALICE, OTHER)
    assert not store.put_secret(ALICE, OTHER, "token", b"secret"), "it is not on record"
    assert contents(server) == {}


def test_all_records_are_read_in_one_go_and_again_only_if_they_changed(
    store: RedisStore, server: RedisServer
) -> None:
    for name in (ID, OTHER):
        put(store, name)
        seen = Seen.model_validate({"job": {"job_id": "7", "state": "running"}})
        store.put_newer(ALICE, name, "seen", seen)
    put(store, OF_BOB, BOB)
    first = store.snapshot_all()
    assert sorted(first.ids(ALICE)) == [ID, OTHER] and first.ids(BOB) == [OF_BOB]
    assert first.get(BOB, OF_BOB, "facts", Facts).user == BOB  # type: ignore[union-attr]
    assert first.get(ALICE, OF_BOB, "facts", Facts) is None
    assert store.snapshot(ALICE).ids(BOB) == []
    put(store, stop=Stop())
    store.remove(BOB, OF_BOB)
    with server.client() as client:
        client.config_resetstat()
        again = store.snapshot_all()
        assert client.info("commandstats")["cmdstat_hgetall"]["calls"] == 1
    assert again.get(ALICE, ID, "stop", Stop) and not first.get(ALICE, ID, "stop", Stop)
    assert again.ids(BOB) == [] and first.ids(BOB) == [OF_BOB]
    assert again.get(ALICE, OTHER, "facts", Facts) is first.get(ALICE, OTHER, "facts", Facts)


def test_records_of_a_moment_are_not_written_to(store: RedisStore) -> None:
    """What a reader would write is kept for who had them read."""
    then = store.snapshot_all()
    then.put(ALICE, ID, "stop", Stop())
    then.put_once(ALICE, ID, "job", Job(job_id="7"))
    then.mend(ALICE, ID, "end", end())
    then.drop(ALICE, ID, "missed")
    assert [change[2] for change in then.changes] == ["stop", "job", "end", "missed"]
    assert then.changes[3] == (ALICE, ID, "missed", None)
    assert store.ids(ALICE) == []


def test_when_a_user_was_adopted_is_known_until_redis_is_emptied(
    store: RedisStore, server: RedisServer
) -> None:
    assert store.adopted_at(ALICE) is None
    before = now()
    store.touch_adopted(ALICE)
    found = store.adopted_at(ALICE)
    assert found and before <= found <= now() and store.adopted_at(BOB) is None
    with server.client() as client:
        client.flushall()
    assert store.adopted_at(ALICE) is None


def test_records_outlive_redis_and_not_its_being_emptied(
    store: RedisStore, server: RedisServer
) -> None:
    put(store)
    store.snapshot_all()
    server.restart()
    assert store.live() == [(ALICE, ID)] and store.snapshot_all().ids(ALICE) == [ID]
    with server.client() as client:
        client.flushall()
    assert store.live() == [] and store.snapshot_all().users() == []
    put(store, facts=facts(image_id="another"))
    found = store.snapshot_all().get(ALICE, ID, "facts", Facts)
    assert found and found.image_id == "another"


def test_a_record_that_other_hands_took_is_listed_nowhere(
    store: RedisStore, server: RedisServer
) -> None:
    """As by an eviction, where Redis is set to one."""
    put(store)
    with server.client() as client:
        client.delete(f"{PREFIX}session:{ID}")
    assert store.live() == [] and store.snapshot_all().ids(ALICE) == []


def contents(server: RedisServer) -> dict[bytes, bytes]:
    with server.client() as client:
        return {key: client.dump(key) or b"" for key in client.keys("*")}
