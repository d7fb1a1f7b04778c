"""A Redis that is away, slow, full or closed: one sentence, soon; and all is well when it is back."""

from __future__ import annotations

import signal
import time

import pytest
from moonlight_spawner.model.errors import StoreUnavailable
from moonlight_spawner.model.records import Facts
from moonlight_spawner.store.redis import RedisStore

from tests.support.redis import RedisServer
from tests.support.waiting import wait_for

from .conftest import MakeStore
from .sessions import ALICE, ID, OTHER, get, put

#: Long beside the time that an answer is waited for.
_PAUSE_MILLISECONDS = 1500


def _refused(store: RedisStore) -> str:
    """What a look and a change are both told; alike but for what was asked for."""
    with pytest.raises(StoreUnavailable) as looked:
        store.snapshot_all()
    with pytest.raises(StoreUnavailable) as changed:
        put(store, OTHER)
    assert "all sessions" in str(looked.value) and OTHER in str(changed.value)
    for refused in (looked, changed):
        assert "Try again" in str(refused.value) and "administrator" in str(refused.value)
    return str(changed.value)


def _works(store: RedisStore) -> bool:
    try:
        put(store)
    except StoreUnavailable:
        return False
    return get(store, "facts", Facts) is not None


def test_away_and_back(server: RedisServer, make_store: MakeStore) -> None:
    store = make_store(server)
    assert _works(store)
    server.stop()
    try:
        said = _refused(store)
        assert "cannot be reached" in said and server.url in said and server.password not in said
    finally:
        server.start()
    assert _works(store)
    server.kill()
    server.start()
    assert get(store, "facts", Facts) is not None  # with the connections of before


def test_one_that_stands_still_is_waited_for_once(
    server: RedisServer, make_store: MakeStore
) -> None:
    store = make_store(server, seconds=0.2)
    assert _works(store)
    server.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"has not answered within 0\.2 s"):
            store.live()
        first = time.monotonic() - began
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(StoreUnavailable, match="has not answered"):
                store.live()
        assert time.monotonic() - began < 100 * first  # nobody waits another time
    finally:
        server.signal(signal.SIGCONT)
    wait_for(lambda: _works(store))


def test_slow(server: RedisServer, make_store: MakeStore) -> None:
    store = make_store(server, seconds=0.2)
    with server.client() as client:
        client.execute_command("CLIENT", "PAUSE", _PAUSE_MILLISECONDS)
    assert "has not answered within" in _refused(store)
    wait_for(lambda: _works(store))


def test_full(server: RedisServer, make_store: MakeStore) -> None:
    store = make_store(server)
    assert _works(store)
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(StoreUnavailable, match=r"is full.*maxmemory"):
                put(store, OTHER)
            with pytest.raises(StoreUnavailable, match="is full"):
                store.put_secret(ALICE, ID, "token", b"secret")
            # What is there can be read, and half of nothing was written.
            assert store.ids(ALICE) == [ID] and store.snapshot_all().ids(ALICE) == [ID]
            store.remove(ALICE, ID)  # makes room
        finally:
            client.config_set("maxmemory", 0)
    assert store.ids(ALICE) == [] and _works(store)


def test_a_full_disk(server: RedisServer, make_store: MakeStore) -> None:
    """As Redis says it after a snapshot that failed (`stop-writes-on-bgsave-error`)."""
    store = make_store(server)
    with server.client() as client:
        dump = server.directory / "dump.rdb"
        dump.unlink(missing_ok=True)
        dump.mkdir()  # nothing can take its place
        client.config_set("save", "3600 1")
        try:
            client.bgsave()
            wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
            with pytest.raises(StoreUnavailable, match="cannot write its data to disk"):
                put(store, OTHER)
        finally:
            dump.rmdir()
            client.config_set("save", "")
            client.bgsave()
            wait_for(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok")
    assert _works(store)


def test_a_copy_takes_no_changes(make_store: MakeStore, server: RedisServer) -> None:
    store = make_store(server)
    with server.client() as client:
        client.replicaof("127.0.0.1", 1)
        try:
            with pytest.raises(StoreUnavailable, match="replica"):
                put(store, OTHER)
        finally:
            client.replicaof("NO", "ONE")
    assert _works(store)


@pytest.mark.parametrize(
    "who",
    [{"password": "wrong-password"}, {"password": ""}, {"user": "nobody", "password": "not-this"}],
    ids=["password", "none", "user"],
)
def test_who_is_not_let_in_is_told_so(
    server: RedisServer, make_store: MakeStore, who: dict[str, str]
) -> None:
    said = _refused(make_store(server, **who))
    assert "does not let its service in" in said and "portal_redis_password_file" in said
    assert "wrong-password" not in said and "not-this" not in said


def test_a_key_of_ours_that_somebody_else_made(server: RedisServer, make_store: MakeStore) -> None:
    store = make_store(server)
    with server.client() as client:
        client.set("moonlight:live", "something else")
    with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
        store.live()
