"""A Redis that the site's other services use too: no key of theirs is read or written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import redis
from moonlight_spawner.model.errors import MoonlightError
from moonlight_spawner.model.records import AgentStatus, Job
from moonlight_spawner.model.session import now
from moonlight_spawner.store.redis import RedisStore

from tests.support.redis import RedisServer
from tests.support.waiting import wait_for

from .conftest import PREFIX, MakeStore
from .sessions import ALICE, BOB, ID, OF_BOB, end, put

Foreign = dict[bytes, tuple[bytes, bool]]


@pytest.fixture
def others(server: RedisServer) -> Callable[[], Foreign]:
    """What the other services have in the same database; it gives their keys as they are now."""
    with server.client() as client:
        client.hset(f"vnc:session:{ID}", mapping={"user": ALICE, "facts": "theirs"})
        client.set("job:1234", "running")
        client.zadd("user:alice", {ID: 1})
        client.sadd("users", "alice", "bob")
        client.set("auth:token:alice", "secret", ex=100_000)
        client.set(f"session:{ID}", "x")
        client.zadd("live", {ID: 1})
        client.set(f"moonlight2:session:{ID}", "x")
        client.set(f"moonlight:x:session:{ID}", "x")  # of somebody who began with our name

    def look() -> Foreign:
        found = {}
        with server.client() as client:
            for key in client.keys("*"):
                if not key.startswith(_OURS):
                    found[key] = (client.dump(key) or b"", client.ttl(key) > 90_000)
        assert len(found) == 9
        return found

    return look


_OURS = tuple(
    PREFIX.encode() + kind
    for kind in (b"session:", b"user:", b"users", b"live", b"adopted", b"rounds")
)


def test_no_step_touches_the_keys_of_others(
    store: RedisStore,
    server: RedisServer,
    make_store: MakeStore,
    others: Callable[[], Foreign],
) -> None:
    before = others()

    shortly, rounds = make_store(server, keep=1.0), store.lock("rounds", 5.0)
    for step in (
        lambda: put(store),
        lambda: put(store, job=Job(job_id="1234")),
        lambda: store.put_newer(ALICE, ID, "status", AgentStatus(), "1"),
        lambda: store.put_secret(ALICE, ID, "token", b"x"),
        lambda: store.secret(ALICE, ID, "token"),
        lambda: put(store, OF_BOB, BOB),
        lambda: store.ids(ALICE),
        store.live,
        lambda: store.touch_adopted(ALICE),
        lambda: store.adopted_at(ALICE),
        lambda: store.snapshot(ALICE),
        store.snapshot_all,
        rounds.take,
        rounds.renew,
        rounds.give,
        lambda: put(store, end=end()),
        lambda: store.remove(ALICE, ID),
        lambda: put(shortly, OF_BOB, BOB, end=end()),
        lambda: wait_for(lambda: store.ids(BOB) == []),
        store.snapshot_all,
    ):
        step()
        assert others() == before


def test_nothing_is_ever_looked_for_among_all_keys(store: RedisStore, server: RedisServer) -> None:
    with server.client() as client:
        client.config_resetstat()
    put(store)
    for step in (store.live, store.snapshot_all, lambda: store.ids(ALICE)):
        step()
    store.remove(ALICE, ID)
    with server.client() as client:
        asked = set(client.info("commandstats"))
    wide = {"keys", "scan", "flushdb", "flushall", "randomkey", "swapdb", "dbsize"}
    assert not asked & {f"cmdstat_{name}" for name in wide}


def test_a_prefix_is_another_portal(server: RedisServer, make_store: MakeStore) -> None:
    one, other = make_store(server), make_store(server, prefix="desks:")
    put(one)
    assert other.ids(ALICE) == [] and other.live() == [] and other.snapshot_all().users() == []
    put(other, ID, BOB)
    with server.client() as client:
        assert client.hget(f"desks:session:{ID}", "user") == b"bob"
        assert client.hget(f"{PREFIX}session:{ID}", "user") == b"alice"


#: The shipped user, who is off until he has a password.
ACL = (Path(__file__).resolve().parents[2] / "deploy/redis/moonlight.acl").read_text("ascii")


def test_a_user_who_may_no_more_than_is_documented_is_enough(
    server: RedisServer, make_store: MakeStore
) -> None:
    with server.client() as client:
        word, name, *rules = ACL.split()
        assert (word, name, ACL.count("\n")) == ("user", "moonlight", 1)
        client.execute_command("ACL", "SETUSER", "ours", "reset", *rules)
        client.execute_command("ACL", "SETUSER", "ours", "on", f"#{sha256(b'pass').hexdigest()}")
        client.script_flush()
        store = make_store(server, user="ours", password="pass")
        try:
            _everything(store)
            with pytest.raises(MoonlightError, match="does not let its service do that"):
                make_store(server, "vnc:", user="ours", password="pass").ids(ALICE)
            allowed = redis.Redis(port=server.port, username="ours", password="pass")
            for theirs in (
                ("get", "auth:token"),
                ("keys", "*"),
                ("flushall",),
                ("config", "get", "*"),
                # Others of the same Redis: seen, put out, and kept waiting.
                *(
                    ("client", "list"),
                    ("client", "kill", "type", "normal"),
                    ("client", "pause", "1"),
                ),
                *(("client", "no-evict", "on"), ("monitor",), ("subscribe", "x"), ("save",)),
            ):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    allowed.execute_command(*theirs)
            script = client.script_load("return redis.call('get', 'auth:token')")
            with pytest.raises(redis.exceptions.ResponseError, match="can't access"):
                allowed.evalsha(script, 0)
            allowed.close()
        finally:
            client.acl_deluser("ours")


def _everything(store: RedisStore) -> None:
    put(store)
    put(store, job=Job(job_id="7"), stop=None)
    assert store.put_newer(ALICE, ID, "status", AgentStatus(), "1")
    lock = store.lock("rounds", 5.0)
    assert lock.take() and lock.renew() and lock.held
    lock.give()
    assert store.put_secret(ALICE, ID, "token", b"secret")
    assert store.secret(ALICE, ID, "token") == b"secret"
    store.touch_adopted(ALICE)
    found = store.adopted_at(ALICE)
    assert found and now() - found < timedelta(days=1)
    assert store.live() == [(ALICE, ID)] and store.ids(ALICE) == [ID]
    then = store.snapshot_all()
    assert then.ids(ALICE) == [ID] and then.parts(ALICE, ID)
    put(store, end=end())
    store.remove(ALICE, ID)
