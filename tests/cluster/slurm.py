"""A real Slurm cluster of one's own, on one machine.

Everything lives in one private directory and on ports of its own: munged, MariaDB, slurmdbd,
slurmctld and two slurmd with 16 CPUs and 3 GPUs that only Slurm believes in. Several clusters may
run side by side; the machine's own services are not touched.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import pwd
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tests.cluster.accounting import create_qos, register_accounts
from tests.cluster.config import Layout, Ports, Settings, write_configuration
from tests.cluster.daemon import Daemon
from tests.cluster.errors import ClusterError
from tests.cluster.faults import WORKING, Faults
from tests.cluster.mariadb import MariaDB
from tests.cluster.munge import munge_daemon
from tests.cluster.packages import find_program, missing_requirement
from tests.cluster.ports import PortClaims
from tests.cluster.processes import listening
from tests.cluster.users import TestUser


class SlurmCluster(Faults):
    """Starts and stops a cluster; its parents run commands on it and cause trouble in it.

    Parameters
    ----------
    directory: made if need be; its parents must be open to other users (o+x). It may be used
        again after `stop()`: jobs, users and the QoS are then still there.
    users: existing users of the machine who get the account `lab` and the QoS `moonlight`.
    refused_users: existing users who get the account `noqos`, without the QoS.
    settings: sizes and times.

    >>> with SlurmCluster(Path("/var/tmp/mlt"), ["alice"]) as cluster:      # doctest: +SKIP
    ...     job = cluster.submit("alice", "#!/bin/sh\\nsleep 5\\n", "--gres=gpu:1")
    ...     cluster.wait_job(job, "RUNNING")["NodeList"]
    'n1'
    """

    name = "lab"

    def __init__(
        self,
        directory: Path | str,
        users: Sequence[TestUser | str] = (),
        *,
        refused_users: Sequence[TestUser | str] = (),
        settings: Settings | None = None,
    ) -> None:
        self.layout = Layout(Path(directory))
        self.directory = self.layout.directory
        self.slurm_conf = self.layout.slurm_conf
        self.settings = settings or Settings()
        self.users = [str(user) for user in users]
        self.refused_users = [str(user) for user in refused_users]
        self.slurmds: dict[str, Daemon] = {}
        self._started: list[Daemon] = []
        self._claims = PortClaims()
        self._ports: Ports | None = None
        self._lock: IO[str] | None = None
        self._mariadb: MariaDB | None = None

    def __enter__(self) -> SlurmCluster:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.settings.nodes

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped; faults do not count."""
        return self._lock is not None

    def start(self) -> None:
        """Start everything and wait until the nodes take jobs: 5-8 s, with kept state 4-5 s.

        Whatever goes wrong, nothing stays behind.
        """
        if self.running:
            raise ClusterError(f"the cluster in {self.directory} runs already")
        problem = missing_requirement()
        if problem:
            raise ClusterError(problem)
        for user in (*self.users, *self.refused_users):
            try:
                pwd.getpwnam(user)
            except KeyError:
                raise ClusterError(
                    f"no user {user} on this machine: useradd {user}, or see ensure_users()"
                ) from None
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        self.layout.make()
        self._lock = self._claim_directory()
        atexit.register(self._stop_at_exit, os.getpid())
        ports = self._ports = self._claim_ports()
        self.slurmctld_port, self.slurmdbd_port = ports.slurmctld, ports.slurmdbd
        mariadb = self._mariadb = MariaDB(self.layout, ports.mariadb)
        self.layout.make_gpu_devices(self.settings)
        self._write_configuration()

        munged = munge_daemon(self.layout)
        self._launch(munged, self.layout.munge_socket.is_socket)
        mariadb.install()
        self._launch(mariadb.daemon, lambda: listening(ports.mariadb))
        self.slurmdbd = self._daemon("slurmdbd", "slurm", "-D")
        self.start_slurmdbd()
        # Before slurmctld: it registers with an existing cluster only.
        self.sacctmgr("add", "cluster", self.name, check=False)
        self.slurmctld = self._daemon("slurmctld", "slurm", "-D", "-f", str(self.slurm_conf))
        self.start_slurmctld()
        self.slurmds = {node: self._slurmd_daemon(node) for node in self.nodes}
        for node in self.nodes:
            (self.directory / "spool" / node).mkdir(exist_ok=True)
            self.start_node(node, wait=False)
        register_accounts(self, self.users, self.refused_users)
        create_qos(self, self.name, self.settings.qos_options)
        for node in self.nodes:
            self.wait_node_state(node, WORKING)  # jobs of an earlier start may go on at once

    def _claim_directory(self) -> IO[str]:
        lock = open(self.directory / "owner", "a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner = lock.read().strip()
            lock.close()
            raise ClusterError(
                f"{self.directory} is in use by a cluster of process {owner}: "
                "stop that, or use another directory"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        return lock

    def _claim_ports(self) -> Ports:
        claim = self._claims.claim
        return Ports(claim(), claim(), claim(), tuple(claim() for _ in self.nodes))

    def _write_configuration(self) -> None:
        assert self._ports is not None and self._mariadb is not None
        write_configuration(
            self.layout, self.settings, self._ports, self.name, self._mariadb.password
        )

    def _daemon(self, program: str, user: str, *options: str) -> Daemon:
        daemon = Daemon(
            program,
            [find_program(program), *options],
            self.layout.log(program),
            user=user,
            # slurmdbd too: it looks for slurmdbd.conf beside the file that SLURM_CONF names.
            environment=self.env,
        )
        self._started.append(daemon)
        return daemon

    def _slurmd_daemon(self, node: str) -> Daemon:
        controllers = self.settings.controllers()
        keeper_options: list[str] = []
        if controllers:
            for controller in controllers:
                (self.directory / "cgroup" / controller).mkdir(exist_ok=True)
            keeper_options = [
                f"--cgroup={self.layout.cgroup}/{node}",
                f"--controllers={','.join(controllers)}",
                f"--cgroup-mount={self.directory}/cgroup",
            ]
        daemon = Daemon(
            f"slurmd of {node}",
            [find_program("slurmd"), "-D", "-N", node, "-f", str(self.slurm_conf)],
            self.layout.log(f"slurmd-{node}"),
            environment=self.env,
            keeper_options=keeper_options,
        )
        self._started.append(daemon)
        return daemon

    def _launch(self, daemon: Daemon, ready: Callable[[], object]) -> None:
        self._started.append(daemon)
        daemon.start(ready)

    def _slurmd_port(self, node: str) -> int:
        assert self._ports is not None
        return self._ports.slurmd[self.nodes.index(node)]

    def reconfigure(self, **changes: Any) -> None:
        """Change settings of the running cluster, such as `enforce_part_limits="NO"`.

        Only what `scontrol reconfigure` takes: not the nodes, their sizes, or the plugins.
        """
        self.settings = replace(self.settings, **changes)
        self._write_configuration()
        self.scontrol("reconfigure")

    def _stop_at_exit(self, owner: int) -> None:
        if os.getpid() == owner:  # not the end of a forked child
            self.stop()

    def stop(self) -> None:
        """End all daemons and all that they started; the files stay. Harmless when stopped."""
        atexit.unregister(self._stop_at_exit)
        errors = []
        # Last started, first ended: slurmctld saves its state while slurmdbd still listens.
        for daemon in reversed(self._started):
            try:
                daemon.close()
            except ClusterError as error:
                errors.append(str(error))
        self._started.clear()
        self.slurmds = {}
        self._claims.release()
        self._ports = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if errors:
            raise ClusterError("; ".join(errors))

    def remove(self) -> None:
        """Stop and delete the directory."""
        self.stop()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.directory)
