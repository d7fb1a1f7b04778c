"""One Redis for all tests of this folder, emptied before each; and the store over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moonlight_spawner.store.redis import RedisStore
from moonlight_spawner.store.redis_client import RedisPlace

from tests.support.redis import RedisServer, redis_server

PREFIX = "moonlight:"
KEY = b"k" * 32
#: Long before anything ends here, and told from other times.
KEEP_SECONDS = 54_321.0

MakeStore = Callable[..., RedisStore]


@pytest.fixture(scope="session")
def redis_of_all() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def server(redis_of_all: RedisServer) -> RedisServer:
    """With nothing in it."""
    with redis_of_all.client() as client:
        client.flushall()
    return redis_of_all


def place_of(server: RedisServer, **more: Any) -> RedisPlace:
    return RedisPlace(**{"url": server.url, "password": server.password, "seconds": 5.0, **more})


@pytest.fixture
def make_store() -> Iterator[MakeStore]:
    """A store over a server; they are closed with the test."""
    made: list[RedisStore] = []

    def make(
        server: RedisServer,
        prefix: str = PREFIX,
        keys: tuple[bytes, ...] = (KEY,),
        keep: float = KEEP_SECONDS,
        **place: Any,
    ) -> RedisStore:
        made.append(RedisStore(place_of(server, **place), prefix, keys, keep))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(server: RedisServer, make_store: MakeStore) -> RedisStore:
    return make_store(server)
