"""One portal for all tests of this folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.support.chromium import chromium
from tests.user_side.portal import portal

from .place import Place, portal_place
from .whole import Whole, whole_portal


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


@pytest.fixture(scope="module")
def whole(
    slurm_cluster: SlurmCluster, slurm_users: SlurmUsers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Whole]:
    """A portal with a Redis, whose desktops are jobs of the worker's Slurm."""
    directory = tmp_path_factory.mktemp("whole")
    with whole_portal(slurm_cluster, [slurm_users.alice, slurm_users.bob], directory) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one
