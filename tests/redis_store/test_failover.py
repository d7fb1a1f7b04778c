"""A master that is followed by another, and comes back: nobody reads or writes there any more."""

from __future__ import annotations

import signal

from moonlight_spawner.model.errors import StoreUnavailable
from moonlight_spawner.store.redis import RedisStore

from tests.portal.failover import Followed, followed
from tests.support.redis import RedisServer
from tests.support.waiting import STILL, wait_for

from .conftest import MakeStore
from .sessions import ALICE, ID, OTHER, put


def role(server: RedisServer) -> str:
    with server.client() as client:
        return str(client.info("replication")["role"])


def has(server: RedisServer, session_id: str) -> bool:
    with server.client() as client:
        return bool(client.exists(f"moonlight:session:{session_id}"))


def store_of(redis: Followed, make_store: MakeStore) -> RedisStore:
    word = redis.master.password
    sentinels = (f"127.0.0.1:{redis.sentinel.port}",)
    return make_store(
        redis.master,
        url="redis://desks/0",
        sentinels=sentinels,
        sentinel_password=word,
        seconds=STILL,
    )


def test_a_master_that_was_followed_and_comes_back_is_neither_read_nor_written(
    make_store: MakeStore,
) -> None:
    with followed() as redis:
        busy, idle = store_of(redis, make_store), store_of(redis, make_store)
        put(busy)
        assert idle.ids(ALICE) == [ID]
        wait_for(lambda: has(redis.copy, ID))
        redis.master.signal(signal.SIGSTOP)
        try:
            wait_for(lambda: role(redis.copy) == "master")
            wait_for(lambda: puts(busy, OTHER))
        finally:
            redis.master.signal(signal.SIGCONT)

        # It takes itself for the master for some seconds, and one of the two has a connection to it.
        assert idle.ids(ALICE) == [ID, OTHER]
        idle.remove(ALICE, ID)
        assert not has(redis.copy, ID), "the change is where it stays"
        assert role(redis.master) == "master" and has(redis.master, ID)

        with redis.master.client() as old:  # what its Sentinel does some ten seconds later
            old.replicaof("127.0.0.1", redis.copy.port)
            old.execute_command("CLIENT", "KILL", "TYPE", "normal")
        wait_for(lambda: role(redis.master) == "slave" and not has(redis.master, ID))
        assert busy.ids(ALICE) == idle.ids(ALICE) == [OTHER]
        assert puts(busy, ID) and has(redis.copy, ID)


def test_without_its_sentinels_the_master_that_is_known_is_asked_on(
    make_store: MakeStore,
) -> None:
    with followed() as redis:
        store = store_of(redis, make_store)
        put(store)
        redis.sentinel.stop()
        store._asking._master_until = 0.0  # it is asked again who the master is
        assert store.ids(ALICE) == [ID]


def puts(store: RedisStore, session_id: str) -> bool:
    try:
        put(store, session_id)
    except StoreUnavailable:
        return False
    return True
