"""Where the cluster's programs are, and which package brings one that is missing."""

from __future__ import annotations

import os
import shutil

from tests.cluster.errors import MissingProgram

# Program to package, as Debian 12 and Ubuntu 22.04 and later name them.
PACKAGES = {
    "munged": "munge",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
    "slurmdbd": "slurmdbd",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sacctmgr": "slurm-client",
    "scontrol": "slurm-client",
    "squeue": "slurm-client",
    "sinfo": "slurm-client",
    "scancel": "slurm-client",
    "sbatch": "slurm-client",
    "useradd": "passwd",
    "setpriv": "util-linux",
}
ALL_PACKAGES = (
    "slurmctld slurmd slurm-client slurmdbd slurm-wlm-basic-plugins slurm-wlm-mysql-plugin "
    "munge mariadb-server"
)
# Daemons live in sbin, which an ordinary PATH lacks.
SEARCH_PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"]
)


def find_program(name: str) -> str:
    """Absolute path of a program; MissingProgram names the package to install."""
    path = shutil.which(name, path=SEARCH_PATH)
    if path is None:
        package = PACKAGES.get(name, name)
        raise MissingProgram(
            f"{name} not found: apt-get install {package} "
            f"(the whole test cluster needs: {ALL_PACKAGES})"
        )
    return path


def missing_requirement() -> str | None:
    """Why a cluster cannot be started on this machine, or None."""
    if os.geteuid() != 0:
        return "a test cluster needs root: slurmd starts jobs as other users"
    for name in PACKAGES:
        try:
            find_program(name)
        except MissingProgram as error:
            return str(error)
    return None
