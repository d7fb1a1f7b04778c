"""What the accounting database has to hold before a user can submit."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.commands import Commands

REPOSITORY = Path(__file__).resolve().parents[2]
CREATE_QOS = REPOSITORY / "deploy" / "slurm" / "create-qos"
ACCOUNT = "lab"
REFUSED_ACCOUNT = "noqos"


def register_accounts(cluster: Commands, users: Sequence[str], refused: Sequence[str]) -> None:
    """Account `lab` with `users`, account `noqos` with `refused`; both idempotent.

    sacctmgr exits 1 with "Nothing new added." when all is there already.
    """
    for account, members in ((ACCOUNT, users), (REFUSED_ACCOUNT, refused)):
        cluster.sacctmgr("add", "account", account, check=False)
        if members:
            cluster.sacctmgr("add", "user", ",".join(members), f"account={account}", check=False)


def create_qos(cluster: Commands, name: str, options: Sequence[str]) -> None:
    """Make the QoS as an administrator would: by deploy/slurm/create-qos."""
    cluster.command(
        [
            sys.executable,
            str(CREATE_QOS),
            f"--cluster={name}",
            f"--account={ACCOUNT}",
            *options,
        ]
    )
