"""Trouble on purpose: what a cluster does to its users on a bad day."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.cluster.commands import Commands
from tests.cluster.daemon import Daemon
from tests.cluster.errors import ClusterError
from tests.cluster.processes import listening
from tests.support.waiting import wait_until

# Node states in which slurmd answers and takes jobs, or has as many as it can.
WORKING = ("idle", "mixed", "allocated", "completing")

# Seconds: slurmctld writes a change when the last writing was more than 5 s ago.
SAVED_WITHIN = 8.0
PARTITIONS = ("viz", "open", "short")  # of templates/slurm.conf


class Faults(Commands):
    """Kills, freezes and brings back the daemons of a cluster."""

    directory: Path
    slurmctld: Daemon
    slurmdbd: Daemon
    slurmds: dict[str, Daemon]
    slurmctld_port: int
    slurmdbd_port: int

    def kill_slurmctld(self, *, saved: bool = True) -> None:
        """SIGKILL the controller: clients then fail after 9-18 s (connect failure).

        With `saved` it first has the time to write its state, up to 8 s, and remembers every job
        afterwards. Without it may forget a job of the last seconds, or only that it runs, and
        then starts it a second time beside the first.
        """
        if saved:
            self._wait_until_saved()
        self.slurmctld.kill()

    def _wait_until_saved(self) -> None:
        """Have slurmctld write its jobs.

        It does so 0-7 s after most changes, but not after backfill has started a job (measured,
        22.05): that one stays PENDING in the file until some other change. An update is one, even
        if it changes nothing.
        """
        jobs = self.squeue(ended=True)
        if jobs:
            state, now = self.directory / "state" / "job_state", time.time()
            self.scontrol("update", f"JobId={jobs[0].id}", "AdminComment=", check=False)
            wait_until(lambda: state.exists() and state.stat().st_mtime >= now, SAVED_WITHIN)

    def start_slurmctld(self) -> None:
        """Start the controller, again or for the first time, and wait until it answers."""
        self.slurmctld.start(lambda: listening(self.slurmctld_port))
        self._wait_for_answer("scontrol", "ping")

    def freeze_slurmctld(self) -> None:
        """SIGSTOP the controller: it accepts connections and says nothing."""
        process = self.slurmctld.process
        if not self.slurmctld.signal(signal.SIGSTOP) or process is None:
            raise ClusterError("slurmctld cannot be frozen: it does not run")
        wait_until(process.stopped)

    def thaw_slurmctld(self) -> None:
        """SIGCONT the controller; what was sent to it meanwhile takes effect."""
        self.slurmctld.signal(signal.SIGCONT)

    def stop_slurmdbd(self) -> None:
        """Stop the accounting daemon: sacct and sacctmgr fail at once, sbatch goes on."""
        self.slurmdbd.stop()

    def start_slurmdbd(self) -> None:
        """Start the accounting daemon and wait until it answers."""
        if self.slurmdbd.alive:
            return  # asking it costs sacctmgr 0.4 s, and this is asked before and after each test
        self.slurmdbd.start(lambda: listening(self.slurmdbd_port))
        self._wait_for_answer("sacctmgr", "-n", "show", "cluster")

    def kill_node(self, node: str, *, jobs: bool = False) -> None:
        """SIGKILL a node's slurmd, as when it crashes.

        With `jobs` every process of its jobs dies as well, as in a loss of power. Without, they
        go on, and Slurm notices after SlurmdTimeout.
        """
        daemon = self._slurmd(node)
        daemon.kill()
        if jobs:
            daemon.kill_descendants()

    def start_node(self, node: str, *, wait: bool = True) -> None:
        """Start a node's slurmd, and wait until the node takes jobs."""
        port = self._slurmd_port(node)
        self._slurmd(node).start(lambda: listening(port))
        if wait:
            self.wait_node_state(node, WORKING)

    def heal(self) -> None:
        """Undo every fault: daemons run, partitions are up, nodes take jobs, no job is left."""
        self.thaw_slurmctld()
        self.start_slurmdbd()
        self.start_slurmctld()
        for node, daemon in self.slurmds.items():
            if not daemon.alive:
                daemon.kill_descendants()
            self.start_node(node, wait=False)
            if self.node_state(node).rstrip("*") in ("down", "drained", "draining"):
                self.scontrol("update", f"NodeName={node}", "State=RESUME", check=False)
        for partition in PARTITIONS:
            self.scontrol("update", f"PartitionName={partition}", "State=UP")
        self.cancel_all_jobs()
        for node in self.slurmds:
            self.wait_node_state(node, "idle")

    def _slurmd(self, node: str) -> Daemon:
        try:
            return self.slurmds[node]
        except KeyError:
            raise ClusterError(f"no node {node}: there are {', '.join(self.slurmds)}") from None

    def _slurmd_port(self, node: str) -> int:
        raise NotImplementedError

    def _wait_for_answer(self, *argv: str) -> None:
        said = [""]

        def answered() -> bool:
            finished = self.command(argv, check=False)
            said[0] = (finished.stderr + finished.stdout).strip()
            # A mistake in slurm.conf does not pass with time.
            return finished.returncode == 0 or "fatal:" in said[0]

        if not wait_until(answered, interval=0.05) or "fatal:" in said[0]:
            raise ClusterError(f"{' '.join(argv)} fails: {said[0]}")
