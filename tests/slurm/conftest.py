"""Users of the real cluster, with the product's settings for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser
from tests.support.cli import UserCli

MakeCli = Callable[[TestUser], UserCli]


@pytest.fixture
def cli(slurm: SlurmCluster) -> Iterator[MakeCli]:
    """Makes the command line of a user; their sessions end with the test."""
    made: list[UserCli] = []

    def make(user: TestUser) -> UserCli:
        env = {
            "SLURM_CONF": str(slurm.slurm_conf),
            "MOONLIGHT_HPC_SCHEDULER": "slurm",
            "MOONLIGHT_HPC_CPUS": "1",
            "MOONLIGHT_HPC_MEMORY_GB": "1",
            "MOONLIGHT_HPC_MAX_SESSIONS": "30",
            "MOONLIGHT_HPC_CACHE_SECONDS": "0.2",
        }
        made.append(UserCli(user, env))
        return made[-1]

    yield make
    slurm.heal()
    for one in made:
        one.stop_all()
