"""Slurm's commands against one cluster, as root or as a user."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.daemon import CLEAN_ENVIRONMENT
from tests.cluster.errors import ClusterError, CommandFailed
from tests.cluster.packages import find_program
from tests.cluster.users import TestUser, run_as
from tests.support.waiting import PATIENCE, wait_until

_KEY = re.compile(r"[A-Z][A-Za-z0-9_/:]*")


@dataclass(frozen=True)
class QueuedJob:
    """One line of squeue."""

    id: int
    state: str
    nodes: str
    reason: str
    user: str
    partition: str
    qos: str


class Commands:
    """Runs Slurm's clients with SLURM_CONF set to this cluster's configuration."""

    slurm_conf: Path

    @property
    def env(self) -> dict[str, str]:
        """All that a client needs to meet this cluster and no other."""
        return {"SLURM_CONF": str(self.slurm_conf)}

    def command(
        self, argv: Sequence[str], *, check: bool = True, timeout: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as root; with `check` an exit code other than 0 raises CommandFailed."""
        finished = subprocess.run(
            [find_program(argv[0]), *argv[1:]],
            env={**CLEAN_ENVIRONMENT, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd="/",
        )
        if check and finished.returncode != 0:
            raise CommandFailed(list(argv), finished.returncode, finished.stderr + finished.stdout)
        return finished

    def run_as(
        self,
        user: TestUser | str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        cwd: Path | str | None = None,
        timeout: float = PATIENCE,
        check: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Like `users.run_as`, with SLURM_CONF in the environment."""
        return run_as(
            user,
            argv,
            env={**self.env, **(env or {})},
            input=input,
            cwd=cwd,
            timeout=timeout,
            check=check,
        )

    def sacctmgr(self, *args: str, check: bool = True) -> str:
        """`sacctmgr -i -n -P ARGS` as root; its output."""
        return self.command(["sacctmgr", "-i", "-n", "-P", *args], check=check).stdout

    def scontrol(self, *args: str, check: bool = True) -> str:
        """`scontrol ARGS` as root; its output."""
        return self.command(["scontrol", *args], check=check).stdout

    def squeue(self, *args: str, ended: bool = False) -> list[QueuedJob]:
        """The jobs in slurmctld's memory: the queued and running ones, or all with `ended`."""
        states = ["-t", "all"] if ended else []
        # The free text comes last: a reason may hold the separator.
        answer = self.command(["squeue", "-h", *states, *args, "-o", "%A|%T|%N|%u|%P|%q|%r"])
        jobs = []
        for line in answer.stdout.splitlines():
            number, state, nodes, user, partition, qos, reason = line.split("|", 6)
            jobs.append(QueuedJob(int(number), state, nodes, reason, user, partition, qos))
        return jobs

    def submit(
        self,
        user: TestUser | str,
        script: str = "#!/bin/sh\nexec sleep 600\n",
        *options: str,
        qos: str | None = "moonlight",
    ) -> int:
        """sbatch a script as a user; the job's id. CommandFailed shows why it was refused."""
        chosen = [f"--qos={qos}"] if qos else []
        argv = ["sbatch", "--parsable", "--output=/dev/null", *chosen, *options]
        answer = self.run_as(user, argv, input=script, check=True)
        return int(answer.stdout.strip().partition(";")[0])

    def job(self, job_id: int | str) -> dict[str, str]:
        """The fields of `scontrol show job`; CommandFailed when slurmctld does not know the id."""
        text = self.scontrol("-o", "show", "job", str(job_id))
        return _fields(text)

    def wait_job(self, job_id: int | str, states: str | Iterable[str]) -> dict[str, str]:
        """Wait until the job is in one of the states; its fields then."""
        wanted = {states} if isinstance(states, str) else set(states)
        last: dict[str, str] = {}

        def reached() -> bool:
            last.update(self.job(job_id))
            return last["JobState"] in wanted

        if not wait_until(reached, interval=0.1):
            raise ClusterError(
                f"job {job_id} is {last.get('JobState')} ({last.get('Reason')}) after "
                f"{PATIENCE:.0f} s, not {' or '.join(sorted(wanted))}\n{self._circumstances()}"
            )
        return last

    def _circumstances(self) -> str:
        """What may hold a job: the others, the nodes, what the QoS has given out."""
        asked = (
            ("-o", "show", "job"),
            ("-o", "show", "node"),
            ("show", "assoc_mgr", "flags=qos", "qos=moonlight"),
        )
        return "\n".join(self.scontrol(*words) for words in asked)

    def wait_reason(self, job_id: int | str, reason: str | None = None) -> str:
        """Wait until a pending job's reason is `reason`, or any at all; the reason found.

        It is `None` until the scheduler's first look, and may then change once more: a job over
        the partition's limit was seen with PartitionConfig before PartitionTimeLimit.
        """
        found = [""]

        def known() -> bool:
            fields = self.job(job_id)
            found[0] = fields["Reason"] if fields["JobState"] == "PENDING" else ""
            return found[0] == reason if reason else found[0] not in ("", "None")

        if not wait_until(known, interval=0.1):
            raise ClusterError(
                f"job {job_id} does not wait for {reason or 'a reason'} after {PATIENCE:.0f} s: "
                f"it is {self.job(job_id)['JobState']} ({found[0]})"
            )
        return found[0]

    def cancel_all_jobs(self) -> None:
        """Cancel every job and wait until none holds anything."""
        jobs = self.squeue()
        if jobs:
            # They hear TERM, and KILL comes after KillWait, also if KILL is what one asks for:
            # a session uses that time to leave nothing in /tmp.
            self.command(["scancel", *(str(job.id) for job in jobs)], check=False)
        if not wait_until(lambda: not self.squeue(), interval=0.1):
            raise ClusterError(f"jobs are left after {PATIENCE:.0f} s: {self.squeue()}")

    def node_state(self, node: str) -> str:
        """Such as idle, mixed, drained, down, in sinfo's words; `*` at its end: no answer.

        Asked of scontrol: after a restart of slurmctld sinfo may say `mixed` of a node without a
        single job for minutes, while scontrol knows better (measured, 22.05).
        """
        state = _fields(self.scontrol("-o", "show", "node", node))["State"].lower()
        words = state.replace("*", "").split("+")
        base, flags = words[0], words[1:]
        if "drain" in flags:
            base = "drained" if base in ("idle", "down") and len(flags) == 1 else "draining"
        elif "completing" in flags:
            base = "completing"
        return base + "*" * ("*" in state)

    def wait_node_state(self, node: str, states: str | Iterable[str]) -> str:
        """Wait until the node is in one of the states, with or without `*`; the state found."""
        wanted = {states} if isinstance(states, str) else set(states)
        found = [""]

        def reached() -> bool:
            found[0] = self.node_state(node)
            return found[0] in wanted or found[0].rstrip("*") in wanted

        if not wait_until(reached, interval=0.1):
            raise ClusterError(
                f"node {node} is {found[0]} after {PATIENCE:.0f} s, "
                f"not {' or '.join(sorted(wanted))}"
            )
        return found[0]


def _fields(line: str) -> dict[str, str]:
    """`Key=value Key=value…` as scontrol -o prints it; a value may hold spaces."""
    fields: dict[str, str] = {}
    key = ""
    for word in line.split():
        name, separator, value = word.partition("=")
        if separator and _KEY.fullmatch(name):
            key = name
            fields[key] = value
        elif key:
            fields[key] += f" {word}"
    return fields
