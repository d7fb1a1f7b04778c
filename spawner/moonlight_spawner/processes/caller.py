"""What the batch system's commands get of the caller's environment, and what a local job gets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..model.account import account

# Nothing else may steer our commands: a caller's SQUEUE_FORMAT, SBATCH_QOS or SLURM_CLUSTERS would,
# and sbatch hands every SLURM_* of its caller to the job, also with --export=NONE (measured). A server
# that runs in a job itself has many, and some exclude each other.
_PASSED: Final = (
    # Programs, and who runs them.
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL"),
    # Which cluster this is (slurm.conf(5)).
    *("SLURM_CONF", "SLURM_CONF_SERVER"),
    # Logging in to it: auth/jwt, and Kerberos for sites whose plug-ins renew tickets (AUKS).
    *("SLURM_JWT", "KRB5CCNAME", "KRB5_CONFIG"),
    # A module of the site that brings Slurm's commands may bring their libraries as well.
    "LD_LIBRARY_PATH",
    "TZ",
)
_SYSTEM_PATH = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]


# These tell times: in epoch seconds, where Slurm prints local time without an offset otherwise. Not
# sbatch, whose job would get the variable, and the user's own squeue in it.
_TELL_TIMES: Final = ("squeue", "sacct", "sinfo")


def command_environment(command: str, caller: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command of the batch system, given by name or path; in plain C locale."""
    env = {name: caller[name] for name in _PASSED if name in caller} | {"LC_ALL": "C"}
    if Path(command).name in _TELL_TIMES:
        env["SLURM_TIME_FORMAT"] = "%s"
    return env


def local_environment(caller: Mapping[str, str]) -> dict[str, str]:
    """A login's environment: the server's own holds secrets, as a submitter's does in Slurm.

    PATH is the submitter's: what he installed for himself on this machine is to be found.
    """
    user = account()
    path = [directory for directory in caller.get("PATH", "").split(os.pathsep) if directory]
    env = {
        "HOME": user.home,
        "USER": user.login,
        "LOGNAME": user.login,
        "SHELL": user.shell,
        "PATH": os.pathsep.join(path + [d for d in _SYSTEM_PATH if d not in path]),
    }
    keep = ("LANG", "LC_ALL", "TZ", "TMPDIR", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
    return env | {k: caller[k] for k in keep if k in caller}
