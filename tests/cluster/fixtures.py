"""pytest fixtures: one real Slurm cluster per test process.

Load them with ``pytest_plugins = ["tests.cluster.fixtures"]``. Under pytest-xdist every worker
that needs a cluster gets its own. Where none can be started the tests fail with the reason.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.packages import missing_requirement
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser, ensure_users, remove_users, unique_names


@dataclass(frozen=True)
class SlurmUsers:
    """alice and bob have the account `lab` and the QoS; carol has neither, only `noqos`."""

    alice: TestUser
    bob: TestUser
    carol: TestUser

    def __iter__(self) -> Iterator[TestUser]:
        return iter((self.alice, self.bob, self.carol))


def require_slurm() -> None:
    """Fail with what is missing when no cluster can be started here."""
    problem = missing_requirement()
    if problem:
        pytest.fail(problem, pytrace=False)


@pytest.fixture(scope="session")
def slurm_users() -> Iterator[SlurmUsers]:
    """Three users of the machine, made for this run."""
    require_slurm()
    names = unique_names(3)
    try:
        yield SlurmUsers(*ensure_users(names))
    finally:
        remove_users(names)


@pytest.fixture(scope="session")
def slurm_cluster(slurm_users: SlurmUsers) -> Iterator[SlurmCluster]:
    """A running cluster. A test that may leave it broken takes `slurm` instead."""
    # Not tmp_path: its parents are closed to other users, and it is too long for sockets.
    directory = Path(tempfile.mkdtemp(prefix="mlt-", dir="/var/tmp"))
    cluster = SlurmCluster(
        directory,
        [slurm_users.alice, slurm_users.bob],
        refused_users=[slurm_users.carol],
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def slurm(slurm_cluster: SlurmCluster) -> Iterator[SlurmCluster]:
    """The cluster for one test: healed afterwards, and without any job left."""
    yield slurm_cluster
    slurm_cluster.heal()
