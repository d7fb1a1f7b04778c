"""Records in a real Redis: as they were put, once where it is once, each user's own."""

from __future__ import annotations

import multiprocessing
from typing import Any

import pytest
from moonlight_spawner.model.errors import NotFound
from moonlight_spawner.model.records import AgentStatus, Facts, Job, Seen, Stop
from moonlight_spawner.model.session import new_session_id, now
from moonlight_spawner.store.base import Damaged
from moonlight_spawner.store.redis import RedisStore
from moonlight_spawner.store.redis_client import RedisPlace

from tests.support.redis import RedisServer
from tests.support.waiting import PATIENCE, wait_for

from .conftest import KEEP_SECONDS, KEY, PREFIX, MakeStore, place_of
from .sessions import ALICE, BOB, ID, OF_BOB, OTHER, end, facts

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["moonlight_spawner.store.redis", "tests.support.redis"])


def test_a_part_comes_back_as_it_was_put(store: RedisStore) -> None:
    assert store.get(ALICE, ID, "job", Job) is None and store.ids(ALICE) == []
    store.put(ALICE, ID, "facts", facts())
    store.put(ALICE, ID, "job", Job(job_id="7"))
    store.put(ALICE, ID, "job", Job(job_id="8"))
    assert store.get(ALICE, ID, "job", Job).job_id == "8"  # type: ignore[union-attr]
    assert store.get(ALICE, ID, "facts", Facts) == facts(created_at=store_created(store))
    assert store.ids(ALICE) == [ID] and sorted(store.parts(ALICE, ID)) == ["facts", "job"]
    store.drop(ALICE, ID, "job")
    assert store.get(ALICE, ID, "job", Job) is None and store.parts(ALICE, ID) == ["facts"]


def store_created(store: RedisStore) -> Any:
    found = store.get(ALICE, ID, "facts", Facts)
    return found and found.created_at


def test_what_is_written_once_stays(store: RedisStore) -> None:
    assert store.put_once(ALICE, ID, "job", Job(job_id="7"))
    assert not store.put_once(ALICE, ID, "job", Job(job_id="8"))
    assert store.get(ALICE, ID, "job", Job).job_id == "7"  # type: ignore[union-attr]


def test_each_part_has_the_time_at_which_it_was_written(store: RedisStore) -> None:
    before = now()
    store.put(ALICE, ID, "stop", Stop())
    written = store.written_at(ALICE, ID, "stop")
    assert written and before <= written <= now()
    assert store.written_at(ALICE, ID, "job") is None
    assert store.snapshot(ALICE).written_at(ALICE, ID, "stop") == written


def test_a_session_is_its_owners_alone(store: RedisStore, server: RedisServer) -> None:
    """Two names may have ids of one form, so the id alone tells nobody's session from another's."""
    store.put(ALICE, ID, "facts", facts())
    store.claim_key(ALICE, "key", ID)
    before = contents(server)
    for attempt in (
        lambda: store.put(BOB, ID, "stop", Stop()),
        lambda: store.put_once(BOB, ID, "stop", Stop()),
        lambda: store.mend(BOB, ID, "stop", Stop()),
        lambda: store.drop(BOB, ID, "facts"),
        lambda: store.remove(BOB, ID),
        lambda: store.claim_key(BOB, "key", ID),
        lambda: store.put_secret(BOB, ID, "token", b"x"),
    ):
        with pytest.raises(NotFound):
            attempt()
    store.release_key(BOB, "key")
    assert store.get(BOB, ID, "facts", Facts) is None and store.secret(BOB, ID, "token") is None
    assert store.ids(BOB) == [] and store.parts(BOB, ID) == []
    assert store.snapshot(BOB).ids(BOB) == [] and store.written_at(BOB, ID, "facts") is None
    assert contents(server) == before


@pytest.mark.parametrize("session_id", ["..", "keys", "ml-alice", f"{ID}\n", "ml-" + "a" * 999])
def test_an_id_that_is_none_names_no_key(store: RedisStore, session_id: str) -> None:
    for attempt in (
        lambda: store.put(ALICE, session_id, "job", Job(job_id="7")),
        lambda: store.put_once(ALICE, session_id, "job", Job(job_id="7")),
        lambda: store.remove(ALICE, session_id),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert store.get(ALICE, session_id, "job", Job) is None and store.ids(ALICE) == []


def test_a_damaged_part_is_told_and_mended_once(store: RedisStore, server: RedisServer) -> None:
    store.put(ALICE, ID, "facts", facts())
    with server.client() as client:
        client.hset(f"{PREFIX}session:{ID}", "job", b"{")
    found = store.look(ALICE, ID, "job", Job)
    assert (
        isinstance(found, Damaged) and f"job of {PREFIX}session:{ID}" in found.where and found.why
    )
    assert isinstance(store.snapshot(ALICE).look(ALICE, ID, "job", Job), Damaged)
    store.mend(ALICE, ID, "job", Job(job_id="7"))
    store.mend(ALICE, ID, "job", Job(job_id="8"))  # it is whole again, and stays
    assert store.get(ALICE, ID, "job", Job).job_id == "7"  # type: ignore[union-attr]
    store.mend(ALICE, ID, "stop", Stop())  # there was none
    assert store.get(ALICE, ID, "stop", Stop)


def test_an_ended_session_is_kept_for_the_sites_time(
    store: RedisStore, server: RedisServer
) -> None:
    store.put(ALICE, ID, "facts", facts())
    store.claim_key(ALICE, "key", OTHER)
    store.put(ALICE, OTHER, "facts", facts(OTHER))
    store.put_secret(ALICE, OTHER, "token", b"secret")
    assert sorted(store.live()) == [(ALICE, ID), (ALICE, OTHER)]
    with server.client() as client:
        session, key = f"{PREFIX}session:{OTHER}", client.keys(f"{PREFIX}key:*")[0]
        assert client.ttl(session) == client.ttl(key) == -1
        store.put_once(ALICE, OTHER, "end", end())
        assert 0 < client.ttl(session) <= KEEP_SECONDS
        assert 0 < client.ttl(key) <= KEEP_SECONDS
        assert client.ttl(f"{PREFIX}session:{ID}") == -1
        # What is learnt of it later does not bring it back.
        client.expire(session, 1000)
        store.put(ALICE, OTHER, "status", AgentStatus())
        assert 0 < client.ttl(session) <= 1000
    assert store.live() == [(ALICE, ID)]
    assert sorted(store.ids(ALICE)) == [ID, OTHER]
    assert store.secret(ALICE, OTHER, "token") is None
    assert not store.put_secret(ALICE, OTHER, "token", b"secret")


def test_when_its_time_is_over_it_is_gone_everywhere(
    server: RedisServer, make_store: MakeStore
) -> None:
    store = make_store(server, keep=1.0)
    store.put(ALICE, OTHER, "facts", facts(OTHER))
    store.put(BOB, OF_BOB, "facts", facts(OF_BOB, BOB))
    store.put(ALICE, OTHER, "end", end())
    assert store.users() == [ALICE, BOB] or store.users() == [BOB, ALICE]
    wait_for(lambda: store.ids(ALICE) == [])
    wait_for(lambda: store.users() == [BOB])
    assert store.snapshot_all().users() == [BOB]
    with server.client() as client:
        assert not client.keys(f"*{OTHER}*") and not client.exists(f"{PREFIX}user:{ALICE}")


def test_half_a_record_is_no_session_and_passes(store: RedisStore, server: RedisServer) -> None:
    store.claim_key(ALICE, "key", ID)
    store.put_once(ALICE, ID, "job", Job(job_id="7"))
    assert store.live() == []
    with server.client() as client:
        assert client.ttl(f"{PREFIX}session:{ID}") > 0
        assert client.ttl(client.keys(f"{PREFIX}key:*")[0]) > 0
        store.put(ALICE, ID, "facts", facts())
        assert client.ttl(f"{PREFIX}session:{ID}") == -1
        assert client.ttl(client.keys(f"{PREFIX}key:*")[0]) == -1
    assert store.live() == [(ALICE, ID)]


def test_a_removed_session_is_gone_with_its_key(store: RedisStore, server: RedisServer) -> None:
    for name, key in ((ID, "a"), (OTHER, "b")):
        store.claim_key(ALICE, key, name)
        store.put(ALICE, name, "facts", facts(name))
    store.remove(ALICE, ID)
    store.remove(ALICE, ID)
    assert store.ids(ALICE) == [OTHER] and store.live() == [(ALICE, OTHER)]
    assert store.claim_key(ALICE, "b", ID) == OTHER
    store.remove(ALICE, OTHER)
    assert store.users() == [] and contents(server) == {}


def test_a_key_that_was_released_is_free(store: RedisStore) -> None:
    assert store.claim_key(ALICE, "key", ID) == ID
    assert store.claim_key(ALICE, "key", OTHER) == ID
    assert store.claim_key(BOB, "key", OF_BOB) == OF_BOB
    store.release_key(ALICE, "key")
    assert store.claim_key(ALICE, "key", OTHER) == OTHER


def test_all_records_are_read_in_one_go_and_again_only_if_they_changed(
    store: RedisStore, server: RedisServer
) -> None:
    for name in (ID, OTHER):
        store.put(ALICE, name, "facts", facts(name))
        store.put(
            ALICE, name, "seen", Seen.model_validate({"job": {"job_id": "7", "state": "running"}})
        )
    store.put(BOB, OF_BOB, "facts", facts(OF_BOB, BOB))
    first = store.snapshot_all()
    assert sorted(first.ids(ALICE)) == [ID, OTHER] and first.ids(BOB) == [OF_BOB]
    assert first.get(BOB, OF_BOB, "facts", Facts).user == BOB  # type: ignore[union-attr]
    assert first.get(ALICE, OF_BOB, "facts", Facts) is None
    assert store.snapshot(ALICE).ids(BOB) == []
    store.put(ALICE, ID, "stop", Stop())
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
    for attempt in (
        lambda: then.remove(ALICE, ID),
        lambda: then.claim_key(ALICE, "key", ID),
        lambda: then.release_key(ALICE, "key"),
        lambda: then.exclusively(ALICE),
    ):
        with pytest.raises(TypeError):
            attempt()


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
    store.put(ALICE, ID, "facts", facts())
    store.snapshot_all()
    server.restart()
    assert store.live() == [(ALICE, ID)] and store.snapshot_all().ids(ALICE) == [ID]
    with server.client() as client:
        client.flushall()
    assert store.live() == [] and store.users() == [] and store.snapshot_all().ids(ALICE) == []
    store.put(ALICE, ID, "facts", facts(image_id="another"))
    found = store.snapshot_all().get(ALICE, ID, "facts", Facts)
    assert found and found.image_id == "another"


def test_a_record_that_other_hands_took_is_listed_nowhere(
    store: RedisStore, server: RedisServer
) -> None:
    """As by an eviction, where Redis is set to one."""
    store.put(ALICE, ID, "facts", facts())
    with server.client() as client:
        client.delete(f"{PREFIX}session:{ID}")
    assert store.live() == [] and store.snapshot_all().ids(ALICE) == []


def _claim(place: RedisPlace, start: Any, answers: Any) -> None:
    store, mine = RedisStore(place, PREFIX, [KEY], KEEP_SECONDS), new_session_id(ALICE)
    start.wait()
    answers.put((mine, store.claim_key(ALICE, "key", mine)))


def _write_once(place: RedisPlace, start: Any, answers: Any) -> None:
    store, mine = RedisStore(place, PREFIX, [KEY], KEEP_SECONDS), new_session_id(ALICE)
    start.wait()
    wrote = [store.put_once(ALICE, ID, "job", Job(job_id=f"{mine}.{i}")) for i in range(20)]
    answers.put((mine, any(wrote), sum(wrote)))


def _crowd(target: Any, server: RedisServer, count: int = 8) -> list[Any]:
    start, answers = processes.Event(), processes.Queue()
    place = place_of(server)
    crowd = [processes.Process(target=target, args=(place, start, answers)) for _ in range(count)]
    for process in crowd:
        process.start()
    start.set()
    told = [answers.get(timeout=PATIENCE) for _ in crowd]
    for process in crowd:
        process.join()
    return told


def test_a_key_that_several_processes_want_has_one_owner(
    store: RedisStore, server: RedisServer
) -> None:
    told = _crowd(_claim, server)
    owners = {owner for _, owner in told}
    assert len(owners) == 1
    assert [mine for mine, owner in told if mine == owner] == list(owners)


def test_of_several_processes_one_writes_what_is_written_once(
    store: RedisStore, server: RedisServer
) -> None:
    told = _crowd(_write_once, server)
    assert sum(count for _, _, count in told) == 1
    (winner,) = (mine for mine, wrote, _ in told if wrote)
    assert store.get(ALICE, ID, "job", Job).job_id.startswith(winner)  # type: ignore[union-attr]


def contents(server: RedisServer) -> dict[bytes, bytes]:
    with server.client() as client:
        return {key: client.dump(key) or b"" for key in client.keys("*")}
