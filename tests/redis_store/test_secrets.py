"""What is secret lies in Redis as nobody but the service can read it, and nowhere else than where it is."""

from __future__ import annotations

from pathlib import Path

from moonlight_spawner.model.records import AgentStatus, Spec, SunshineOptions
from moonlight_spawner.store.base import Damaged
from moonlight_spawner.store.redis import RedisStore

from tests.support.redis import RedisServer

from .conftest import KEY, PREFIX, MakeStore
from .sessions import ALICE, BOB, ID, OF_BOB, OTHER, facts

TOKEN = b"gateway-token-that-nobody-else-may-see"


def _spec(credential: str) -> Spec:
    return Spec.model_validate(
        {
            **{"session_id": ID, "image_id": "desktop", "host": "selkies", "scheduler": "slurm"},
            **{"request": facts().request, "max_width": 1, "max_height": 1},
            **{"display_min": 1, "display_max": 2, "port_min": 1, "port_max": 2, "log_dir": ""},
            **{"gateway_address": "", "gateway_plain_http": False},
            "sunshine": SunshineOptions(turn_credential=credential),
        }
    )


def test_a_secret_comes_back_and_is_nowhere_in_clear(
    store: RedisStore, server: RedisServer
) -> None:
    store.put(ALICE, ID, "facts", facts())
    assert store.put_secret(ALICE, ID, "token", TOKEN)
    store.put(ALICE, ID, "spec", _spec(TOKEN.decode()))
    assert store.secret(ALICE, ID, "token") == TOKEN
    assert store.secret(ALICE, ID, "other") is None
    for records in (store, store.snapshot(ALICE)):
        spec = records.get(ALICE, ID, "spec", Spec)
        assert spec and spec.sunshine.turn_credential == TOKEN.decode()
        assert "secret:token" not in records.parts(ALICE, ID)
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
        store.put(user, name, "facts", facts(name, user))
    store.put_secret(ALICE, ID, "token", TOKEN)
    store.put(ALICE, ID, "spec", _spec("x"))
    store.put(ALICE, ID, "status", AgentStatus())
    with server.client() as client:
        kept = client.hgetall(f"{PREFIX}session:{ID}")
        token = kept[b"secret:token"]
        moved = {name: kept[name] for name in (b"secret:token", b"spec", b"status")}
        for name in (OTHER, OF_BOB):
            client.hset(f"{PREFIX}session:{name}", mapping=moved)
        client.hset(f"{PREFIX}session:{ID}", "secret:news", token)
        client.hset(f"{PREFIX}session:{ID}", "secret:short", b"x")
    assert (
        store.secret(ALICE, OTHER, "token") is None and store.secret(BOB, OF_BOB, "token") is None
    )
    assert store.secret(ALICE, ID, "news") is None and store.secret(ALICE, ID, "short") is None
    assert isinstance(store.look(ALICE, OTHER, "spec", Spec), Damaged)
    # Where the token is sent: nobody who has no key says that.
    assert isinstance(store.look(ALICE, OTHER, "status", AgentStatus), Damaged)
    with server.client() as client:
        client.hset(f"{PREFIX}session:{OTHER}", "status", AgentStatus().model_dump_json())
    assert isinstance(store.look(ALICE, OTHER, "status", AgentStatus), Damaged)
    assert store.secret(ALICE, ID, "token") == TOKEN


def test_a_new_key_is_put_before_the_old_one(server: RedisServer, make_store: MakeStore) -> None:
    old = make_store(server)
    old.put(ALICE, ID, "facts", facts())
    old.put_secret(ALICE, ID, "token", TOKEN)
    new = make_store(server, keys=(b"n" * 32, KEY))
    assert new.secret(ALICE, ID, "token") == TOKEN
    new.put_secret(ALICE, ID, "token", TOKEN)
    assert old.secret(ALICE, ID, "token") is None
    assert make_store(server, keys=(b"n" * 32,)).secret(ALICE, ID, "token") == TOKEN
