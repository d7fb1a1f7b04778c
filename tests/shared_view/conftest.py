"""A portal with a Redis, for all tests of this folder; what a test leaves ends with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.processes import end_all, of_user
from tests.cluster.users import TestUser
from tests.support.redis import RedisServer, redis_server
from tests.user_side.portal import Portal, portal


@dataclass
class Place:
    side: Portal
    redis: RedisServer
    settings: dict[str, Any]

    def serve(self, body: str, *args: object, **more: Any) -> Any:
        """What ``body`` of ``async def work(manager, *args)`` returns: a service with this Redis."""
        return self.side.serve(body, *args, **{**self.settings, **more})

    def serve_hostile(self, body: str, *args: object, **more: Any) -> Any:
        return self.side.serve_hostile(body, *args, **{**self._settings_of_hostile, **more})

    @property
    def _settings_of_hostile(self) -> dict[str, Any]:
        return self._settings(self.side.hostile)

    def _settings(self, account: TestUser) -> dict[str, Any]:
        directory = self.redis.directory / account.name
        if not directory.exists():
            directory.mkdir(mode=0o700)
            self.redis.password_file(directory / "password", account)
            shutil.chown(directory, account.uid, account.gid)
        return {
            **self.redis.settings(directory / "password"),
            "portal_key_file": str(directory / "key"),
            "portal_redis_seconds": 5.0,
        }

    def emptied(self) -> None:
        with self.redis.client() as client:
            client.flushall()


@pytest.fixture(scope="session")
def place_of_all() -> Iterator[Place]:
    with portal() as side, redis_server() as redis:
        place = Place(side, redis, {})
        place.settings = place._settings(side.service)
        yield place


@pytest.fixture
def place(place_of_all: Place) -> Iterator[Place]:
    place_of_all.emptied()
    yield place_of_all
    for user in place_of_all.side.users:
        end_all(lambda user=user: list(of_user(user.uid)))
        for name in ("side", "sessions"):
            path = user.home / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.fixture
def alice(place: Place) -> TestUser:
    return place.side.users[0]


@pytest.fixture
def bob(place: Place) -> TestUser:
    return place.side.users[1]
