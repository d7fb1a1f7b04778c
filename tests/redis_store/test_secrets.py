"""What is secret lies in Redis as nobody but the service can read it, and nowhere else than where it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.store.base import Damaged
from moonlight_spawner.store.redis import RedisStore

from tests.support.redis import RedisServer

from .conftest import KEY, PREFIX, MakeStore
from .sessions import ALICE, BOB, ID, OF_BOB, OTHER, end, get, put

TOKEN = b"gateway-token-that-nobody-else-may-see"


def test_a_secret_comes_back_and_is_nowhere_in_clear(
    store: RedisStore, server: RedisServer
) -> None:
    put(store)
    assert store.put_secret(ALICE, ID, "token", TOKEN)
    store.put_newer(ALICE, ID, "status", AgentStatus(node=TOKEN.decode()), "1")
    assert store.secret(ALICE, ID, "token") == TOKEN
    assert store.secret(ALICE, ID, "other") is None
    status = get(store, "status", AgentStatus)
    assert status and status.node == TOKEN.decode()
    assert "secret:token" not in store.snapshot(ALICE).parts(ALICE, ID)
    with server.client() as client:
        kept = b"".join(client.dump(key) or b"" for key in client.keys("*"))
        fields = client.hgetall(f"{PREFIX}session:{ID}")
        client.bgrewriteaof()
    everything = [kept, *fields.values()]
    everything += [p.read_bytes() for p in Path(server.directory).rglob("*") if p.is_file()]
    assert len(everything) > 8 and not any(TOKEN in data for data in everything)
    assert any(ID.encode() in data for data in everything), "nothing was looked at"


def test_a_secret_counts_where_it_was_put_and_nowhere_else(
    store: RedisStore, server: RedisServer
) -> None:
    for name, user in ((ID, ALICE), (OTHER, ALICE), (OF_BOB, BOB)):
        put(store, name, user)
    store.put_secret(ALICE, ID, "token", TOKEN)
    store.put_newer(ALICE, ID, "status", AgentStatus(), "1")
    with server.client() as client:
        kept = client.hgetall(f"{PREFIX}session:{ID}")
        token = kept[b"secret:token"]
        moved = {name: kept[name] for name in (b"secret:token", b"status")}
        for name in (OTHER, OF_BOB):
            client.hset(f"{PREFIX}session:{name}", mapping={**moved, b"@": b"1"})
        client.hset(f"{PREFIX}session:{ID}", "secret:news", token)
        client.hset(f"{PREFIX}session:{ID}", "secret:short", b"x")
    assert (
        store.secret(ALICE, OTHER, "token") is None and store.secret(BOB, OF_BOB, "token") is None
    )
    assert store.secret(ALICE, ID, "news") is None and store.secret(ALICE, ID, "short") is None
    # Where the token is sent: nobody who has no key says that.
    assert isinstance(_status_of_other(store), Damaged)
    in_clear = AgentStatus().model_dump_json()
    with server.client() as client:
        client.hset(f"{PREFIX}session:{OTHER}", mapping={"status": in_clear, "@": "2"})
    assert isinstance(_status_of_other(store), Damaged)
    assert store.secret(ALICE, ID, "token") == TOKEN


def _status_of_other(store: RedisStore) -> AgentStatus | Damaged | None:
    return store.snapshot(ALICE).look(ALICE, OTHER, "status", AgentStatus)


def test_a_new_key_is_put_before_the_old_one(server: RedisServer, make_store: MakeStore) -> None:
    old = make_store(server)
    put(old)
    old.put_secret(ALICE, ID, "token", TOKEN)
    new = make_store(server, keys=(b"n" * 32, KEY))
    assert new.secret(ALICE, ID, "token") == TOKEN
    new.put_secret(ALICE, ID, "token", TOKEN)
    assert old.secret(ALICE, ID, "token") is None
    assert make_store(server, keys=(b"n" * 32,)).secret(ALICE, ID, "token") == TOKEN


def test_what_an_old_key_has_sealed_is_sealed_anew_and_the_old_key_can_go(
    server: RedisServer, make_store: MakeStore
) -> None:
    """Also the words of a session that has ended, of which nobody says anything any more."""
    old, key = make_store(server), b"n" * 32
    for session_id in (ID, OTHER):
        put(old, session_id)
        old.put_secret(ALICE, session_id, "token", TOKEN)
        old.put_newer(ALICE, session_id, "status", AgentStatus(node="n1"), "1")
    put(old, OTHER, end=end())
    assert old.seal_anew() == 0
    both = make_store(server, keys=(key, KEY))
    before = both.snapshot_all()
    assert both.seal_anew() == 3  # the token of what has ended is not there any more
    assert both.seal_anew() == 0
    new = make_store(server, keys=(key,))
    assert new.secret(ALICE, ID, "token") == TOKEN
    for session_id in (ID, OTHER):
        status = get(new, "status", AgentStatus, session_id)
        assert status and status.node == "n1"
        told = [one.written_at(ALICE, session_id, "status") for one in (before, new.snapshot_all())]
        assert told[0] == told[1]
    # It is no change: what an agent said is as old as it was, and a reader has read it.
    assert not new.put_newer(ALICE, ID, "status", AgentStatus(), "1")
    with server.client() as client:
        assert client.ttl(f"{PREFIX}session:{OTHER}") > 0
    assert get(make_store(server), "status", AgentStatus) is None


def test_what_was_said_anew_meanwhile_is_not_undone(
    server: RedisServer, make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, both = make_store(server), make_store(server, keys=(b"n" * 32, KEY))
    put(old)
    old.put_newer(ALICE, ID, "status", AgentStatus(node="n1"), "1")
    renewed = both._sealing.renewed

    def meanwhile(sealed: bytes, *place: str) -> bytes | None:
        old.put_newer(ALICE, ID, "status", AgentStatus(node="n2"), "2")
        return renewed(sealed, *place)

    monkeypatch.setattr(both._sealing, "renewed", meanwhile)
    assert both.seal_anew() == 0
    status = get(both, "status", AgentStatus)
    assert status and status.node == "n2"
