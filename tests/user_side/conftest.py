"""One portal for all tests of this folder; what users started ends with them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.cluster.processes import end_all, of_user
from tests.cluster.users import TestUser

from .portal import Portal, portal


@pytest.fixture(scope="session")
def portal_place() -> Iterator[Portal]:
    with portal() as made:
        yield made


@pytest.fixture
def place(portal_place: Portal) -> Iterator[Portal]:
    yield portal_place
    for user in portal_place.users:
        # What a test began may run on, and write where the next one must find nothing.
        end_all(lambda user=user: list(of_user(user.uid)))
        for name in ("side", ".config", "sessions"):
            path = user.home / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@pytest.fixture
def alice(place: Portal) -> TestUser:
    return place.users[0]


@pytest.fixture
def bob(place: Portal) -> TestUser:
    return place.users[1]
