"""`python -m tests.cluster up`: a cluster by hand, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from tests.cluster.config import Settings
from tests.cluster.errors import ClusterError
from tests.cluster.keeper import PR_SET_PDEATHSIG, checked, libc
from tests.cluster.slurm import SlurmCluster
from tests.cluster.users import TestUser, ensure_users, remove_users


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start a cluster and keep it until Ctrl-C or SIGTERM")
    up.add_argument("--dir", type=Path, help="its directory, kept at the end; default: temporary")
    up.add_argument("--users", default="", help="users with the QoS, separated by commas")
    up.add_argument("--refused-users", default="", help="users in accounting without the QoS")
    up.add_argument(
        "--create-users", action="store_true", help="create those that do not exist, until the end"
    )
    up.add_argument("--proctrack", choices=["cgroup", "linuxproc"])
    up.add_argument("--kill-wait", type=int, default=Settings.kill_wait, metavar="SECONDS")
    up.add_argument("--gpus", type=int, default=Settings.gpus, help="per node")
    up.add_argument(
        "--stay", action="store_true", help="also when the process that started it ends"
    )
    return top


USAGE = """\
The cluster is up: nodes {nodes}; partitions viz (QoS moonlight only), open, short.

    export SLURM_CONF={conf}
    sinfo
    sbatch --qos=moonlight --gres=gpu:1 --wrap='sleep 60'     (as {users})

Logs are in {logs}. Ctrl-C ends everything.
"""


def up(options: argparse.Namespace) -> None:
    users = [name for name in options.users.split(",") if name]
    refused = [name for name in options.refused_users.split(",") if name]
    directory = options.dir or Path(tempfile.mkdtemp(prefix="mlt-", dir="/var/tmp"))
    settings = Settings(proctrack=options.proctrack, kill_wait=options.kill_wait, gpus=options.gpus)
    created: list[TestUser] = []
    cluster = SlurmCluster(directory, users, refused_users=refused, settings=settings)
    try:
        if options.create_users:
            created = ensure_users([*users, *refused])
        cluster.start()
        print(
            USAGE.format(
                nodes=", ".join(cluster.nodes),
                conf=cluster.slurm_conf,
                users=" or ".join(users) or "a user you add with sacctmgr",
                logs=directory / "log",
            ),
            flush=True,
        )
        signal.pause()
    finally:
        cluster.stop()
        remove_users(created)  # spares those that were there before
        if options.dir is None:
            cluster.remove()


def main() -> int:
    starter = os.getppid()
    # Both are told to whoever they are for, also where a shell has had them ignored: it does that
    # to whatever it starts with `&`. `nohup` means it: that one stays when the terminal goes.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, interrupt)
    try:
        options = parser().parse_args()
        if not options.stay:
            end_with(starter)
        up(options)
    except KeyboardInterrupt:
        print("stopped")
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def end_with(starter: int) -> None:
    """Whoever started the cluster and is gone (killed, or out of time) cannot end it any more."""
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0), "prctl parent death signal")
    if os.getppid() != starter:
        interrupt()


def interrupt(*_: object) -> None:
    """End everything in order; a second signal must not break that off."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
