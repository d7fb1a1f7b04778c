"""A private, real Slurm cluster on one machine: for tests, and by hand."""

from __future__ import annotations

from tests.cluster.config import Settings
from tests.cluster.errors import ClusterError, CommandFailed, DaemonFailed, MissingProgram
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser, as_user, ensure_users, remove_users, run_as, unique_names

__all__ = [
    "ClusterError",
    "CommandFailed",
    "DaemonFailed",
    "MissingProgram",
    "Settings",
    "SlurmCluster",
    "TestUser",
    "as_user",
    "ensure_users",
    "remove_users",
    "run_as",
    "unique_names",
]
