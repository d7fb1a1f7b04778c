"""Users of the real cluster whose sessions are streamed by the stand-ins."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from tests.cluster.fixtures import SlurmUsers
from tests.cluster.slurm import SlurmCluster
from tests.support.cli import UserCli
from tests.support.reachable import no_gpu, standins


@pytest.fixture
def site(slurm: SlurmCluster) -> dict[str, str]:
    """Settings of a site whose nodes have Sunshine and moonlight-web-stream."""

    def command(program: str) -> str:
        return json.dumps(
            ["/usr/bin/env", f"STANDIN_PYTHON={sys.executable}", str(standins() / program)]
        )

    return {
        "SLURM_CONF": str(slurm.slurm_conf),
        "MOONLIGHT_HPC_SCHEDULER": "slurm",
        "MOONLIGHT_HPC_CPUS": "1",
        "MOONLIGHT_HPC_MEMORY_GB": "1",
        "MOONLIGHT_HPC_STREAMING_HOST": "sunshine",
        "MOONLIGHT_HPC_SUNSHINE_COMMAND": command("sunshine"),
        "MOONLIGHT_HPC_MOONLIGHT_WEB_COMMAND": command("moonlight_web_package/web-server"),
        "MOONLIGHT_HPC_MOONLIGHT_WEB_DIRECTORY": str(standins() / "moonlight_web_package"),
        # The GPUs of the cluster are made up; those of this machine are not to be found.
        "MOONLIGHT_HPC_JOB_ENVIRONMENT": json.dumps(
            {"PATH": f"{no_gpu()}:/usr/local/bin:/usr/bin:/bin"}
        ),
    }


def with_knobs(site: dict[str, str], knobs: dict[str, str]) -> str:
    """The setting for a Sunshine with knobs turned (tests/standins/sunshine_standin)."""
    command = json.loads(site["MOONLIGHT_HPC_SUNSHINE_COMMAND"])
    turned = [f"STANDIN_SUNSHINE_{name}={value}" for name, value in knobs.items()]
    return json.dumps([command[0], *turned, *command[1:]])


@pytest.fixture
def alice(slurm: SlurmCluster, slurm_users: SlurmUsers, site: dict[str, str]) -> Iterator[UserCli]:
    one = UserCli(slurm_users.alice, site)
    yield one
    slurm.heal()
    one.stop_all()
