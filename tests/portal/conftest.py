"""One portal for all tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.user_side.portal import portal

from .place import Place, portal_place


@pytest.fixture(scope="session")
def portal_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with portal() as side, portal_place(side, tmp_path_factory.mktemp("portal")) as place:
        yield place


@pytest.fixture(scope="module")
def place(portal_of_all: Place) -> Iterator[Place]:
    """The portal, without what the tests before have launched: that has ended and is listed still."""
    for user in portal_of_all.side.users:
        shutil.rmtree(user.home / "sessions", ignore_errors=True)
    yield portal_of_all
