"""JupyterLab of a user of the real cluster, and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.support.chromium import chromium, person
from tests.support.lab import Lab


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with person(browser) as one:
        yield one


@pytest.fixture(scope="session")
def _lab(slurm_cluster: SlurmCluster, slurm_users: SlurmUsers) -> Iterator[Lab]:
    env = {
        "SLURM_CONF": str(slurm_cluster.slurm_conf),
        "MOONLIGHT_HPC_SCHEDULER": "slurm",
        "MOONLIGHT_HPC_CPUS": "2",
        "MOONLIGHT_HPC_MEMORY_GB": "2",
        "MOONLIGHT_HPC_RESOLUTION": "1280x720",
    }
    with Lab(slurm_users.alice, env, base_url="/user/alice/") as one:
        yield one


@pytest.fixture
def lab(_lab: Lab, slurm: SlurmCluster) -> Iterator[Lab]:
    """alice's JupyterLab, whose sessions are jobs of the cluster and end with the test.

    It is the same one for all tests of a process; one that ended in a test starts again.
    """
    if not _lab.runs:
        _lab.start()
    yield _lab
    slurm.heal()
    if _lab.runs:
        _lab.stop_sessions()
