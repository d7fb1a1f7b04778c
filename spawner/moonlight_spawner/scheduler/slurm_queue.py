"""This user's jobs in one question, kept for a few seconds, and an answer soon even when Slurm hangs.

squeue takes 18 to 20 s to give up on a controller that is killed or hung (measured on 22.05).
Nobody waits for that: a refresh goes on in the background and callers get the last known jobs,
marked stale. What is asked for is small however long the queue is: jobs by their numbers, with
``whose`` saying of which users.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from ..model.job import JobInfo
from ..model.session import StaleCode, now
from ..processes.caller import command_environment
from .base import Doubt, Snapshot
from .command import MOST_BYTES, CommandMissing, CommandTimeout, Result, run
from .slurm_output import (
    OWNER_FORMAT,
    SACCT_FORMAT,
    SQUEUE_FORMAT,
    Jobs,
    Unreadable,
    parse_sacct,
    parse_squeue,
)
from .slurm_place import Place, Places
from .slurm_words import Asked

log = logging.getLogger(__name__)

_CLUSTER = re.compile(r"^ClusterName\s*=\s*(?P<name>\S+)", re.MULTILINE)
# Of one number that it does not know squeue says this; of several it says nothing at all.
_NO_SUCH_JOB = "slurm_load_jobs error: Invalid job id specified"
# A name that no job of ours has: the answer is empty, and tells that somebody answers.
_NO_NAME = "moonlight-hpc-nothing"
_COMMAND_SECONDS = 30.0
# A number that nobody asked for since is not asked about any more.
_WANTED_SECONDS = 60.0


class SlurmQueue:
    """The cached answers of squeue and sacct.

    Parameters
    ----------
    whose
        An option of squeue that says of which users; None: of all whose jobs may be seen.
    prefix
        By what a command becomes another user's and keeps its environment, e.g. ``sudo -E -u alice``.
    owners
        Whether to ask whose each job is, too (:attr:`Snapshot.owners`). The accounting is not asked then.
    """

    def __init__(
        self,
        command: Callable[[str], str],
        asked: Asked,
        cache_seconds: float,
        answer_seconds: float,
        whose: str | None = "--me",
        prefix: Sequence[str] = (),
        owners: bool = False,
    ):
        self._command = command
        self._prefix = prefix
        self._asked = asked
        self._cache_seconds = cache_seconds
        self._answer_seconds = answer_seconds
        self._whose = whose
        self._owners = owners
        self._places = Places(self._run, cache_seconds)
        self._jobs = Jobs()
        self._placed: dict[str, tuple[JobInfo, Place, JobInfo]] = {}
        self._warning = ""
        self._asking_for: frozenset[str] = frozenset()
        self._wanted: dict[str, float] = {}
        self._accounted: dict[str, JobInfo] = {}
        self._doubts: dict[str, Doubt] = {}
        self._asked_at = self._refresh_began = float("-inf")
        self._good_at: datetime | None = None
        self._trouble: tuple[StaleCode, str] | None = None
        self._trouble_since: datetime | None = None
        self._refresh: asyncio.Task[None] | None = None
        self._cluster: asyncio.Task[str] | None = None
        self._cluster_asked_at = float("-inf")
        self._accounting: dict[frozenset[str], tuple[float, str | None]] = {}

    def expire(self) -> None:
        """Make the next question a new one: something was just submitted or cancelled."""
        self._asked_at = float("-inf")

    async def cluster(self) -> str:
        """Name of the cluster, asked once; empty while nobody answers."""
        unknown = self._cluster and self._cluster.done() and not self._cluster.result()
        again = unknown and time.monotonic() - self._cluster_asked_at > self._cache_seconds
        if self._cluster is None or again:
            self._cluster = asyncio.ensure_future(self._ask_cluster())
            self._cluster_asked_at = time.monotonic()
        task = self._cluster
        patience = self._cluster_asked_at + self._answer_seconds - time.monotonic()
        if patience > 0:  # one wait is enough for everybody
            await asyncio.wait({task}, timeout=patience)
        return task.result() if task.done() else ""

    async def _ask_cluster(self) -> str:
        try:
            named = _CLUSTER.search((await self._answer(["scontrol", "show", "config"])).output)
        except _NoAnswer:
            return ""
        return named["name"] if named else ""

    async def snapshot(self, job_ids: Collection[str]) -> Snapshot:
        began = time.monotonic()
        wanted = frozenset(job_ids)
        await self._fresh(wanted)
        jobs = {i: self._jobs.known[i] for i in wanted if i in self._jobs.known}
        if self._trouble:
            code, reason = self._trouble
            since = self._good_at or self._trouble_since
            known = jobs | self._ended(wanted - set(jobs))
            owners = {i: self._jobs.owners[i] for i in jobs if i in self._jobs.owners}
            return Snapshot(known, False, since, reason, code, owners=owners)
        doubts = self._unclear(wanted)
        # The accounting may be behind, and may say for good that a job runs which nobody has.
        missing = wanted - set(jobs) - set(doubts)
        if missing and not self._owners:
            doubts |= await self._look_up(missing)
        accounted = {i: self._accounted[i] for i in missing if i in self._accounted}
        waiting = {i: self._jobs.waiting[i] for i in jobs if i in self._jobs.waiting}
        if waiting:
            patience = began + self._answer_seconds - time.monotonic()
            for i, place in (await self._places.of(waiting, patience)).items():
                jobs[i] = self._at_place(jobs[i], place)
        unlisted = frozenset(i for i, job in accounted.items() if not job.state.ended)
        doubtful = self._since(wanted, doubts)
        owners = {i: self._jobs.owners[i] for i in wanted if i in self._jobs.owners}
        unlisted -= set(doubts)
        return Snapshot(jobs | accounted, doubts=doubtful, unlisted=unlisted, owners=owners)

    def _at_place(self, job: JobInfo, place: Place) -> JobInfo:
        """A job that waits, with its place; the very same as long as both are."""
        known = self._placed.get(job.job_id)
        if known is None or known[0] is not job or known[1] != place:
            known = job, place, job.model_copy(update=vars(place))
            self._placed[job.job_id] = known
        return known[2]

    def _ended(self, job_ids: Collection[str]) -> dict[str, JobInfo]:
        """Those of which the accounting has told the end before."""
        found = {i: self._accounted[i] for i in job_ids if i in self._accounted}
        return {i: job for i, job in found.items() if job.state.ended}

    def _unclear(self, job_ids: Collection[str]) -> dict[str, str]:
        return {
            i: f"Slurm says that job {i} is {self._jobs.unclear[i]}, a state that is not known here."
            for i in job_ids
            if i in self._jobs.unclear
        }

    def _since(self, job_ids: frozenset[str], doubts: dict[str, str]) -> dict[str, Doubt]:
        """With each doubt, since when there has been one about that job."""
        old = self._doubts
        found = {
            i: Doubt(reason, old[i].since if i in old else now()) for i, reason in doubts.items()
        }
        self._doubts = {i: doubt for i, doubt in old.items() if i not in job_ids} | found
        return found

    async def close(self) -> None:
        for task in (self._refresh, self._cluster):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._places.close()

    async def _fresh(self, job_ids: frozenset[str]) -> None:
        """Have an answer of the last seconds that was asked for all of these."""
        clock = time.monotonic()
        self._wanted = {i: at for i, at in self._wanted.items() if clock - at < _WANTED_SECONDS}
        self._wanted |= dict.fromkeys(job_ids, clock)
        while True:
            if self._refresh is None:
                age = time.monotonic() - self._asked_at
                if age < self._cache_seconds and job_ids <= self._asking_for:
                    return
                self._asking_for = frozenset(self._wanted)
                self._asked_at = self._refresh_began = time.monotonic()
                self._refresh = asyncio.ensure_future(self._ask(self._asking_for))
            task, covered = self._refresh, job_ids <= self._asking_for
            patience = self._refresh_began + self._answer_seconds - time.monotonic()
            if patience > 0:  # who asks while it hangs already does not wait again
                await asyncio.wait({task}, timeout=patience)
            if not task.done():
                self._in_trouble("Slurm's controller does not answer.")
                return
            if covered:
                return

    async def _ask(self, job_ids: frozenset[str]) -> None:
        argv = ["squeue", "--noheader", "--all", "--states=all"]
        argv += [self._whose] if self._whose else []
        argv.append(f"--format={OWNER_FORMAT if self._owners else ''}{SQUEUE_FORMAT}")
        argv.append(f"--jobs={','.join(sorted(job_ids))}" if job_ids else f"--name={_NO_NAME}")
        try:
            result = await self._answer(argv)
            self._jobs = parse_squeue(result.output, self._asked, self._owners, self._jobs)
            self._placed = {i: one for i, one in self._placed.items() if i in self._jobs.waiting}
            self._warning = result.errors.strip()
            self._good_at = now()
            self._trouble = self._trouble_since = None
        except _NoAnswer as e:
            self._in_trouble(str(e))
            self._asked_at = time.monotonic()
        except Unreadable as e:
            unclear = f"Slurm's answer cannot be read; squeue said: {e}"
            self._in_trouble(unclear, StaleCode.SCHEDULER_UNCLEAR)
            self._asked_at = time.monotonic()
        except Exception:  # an answer that nobody has thought of is no answer
            log.exception("the answer of squeue cannot be used")
            self._in_trouble("Slurm's answer cannot be read.", StaleCode.SCHEDULER_UNCLEAR)
            self._asked_at = time.monotonic()
        finally:
            self._refresh = None

    def _in_trouble(self, reason: str, code: StaleCode = StaleCode.SCHEDULER_AWAY) -> None:
        self._trouble = code, reason
        self._trouble_since = self._trouble_since or now()

    async def _look_up(self, job_ids: frozenset[str]) -> dict[str, str]:
        """Ask accounting for jobs that the controller does not list; why nothing is known of some."""
        doubts = {}
        if self._warning:  # it said something besides: it may have left out more than it knows
            doubts = dict.fromkeys(
                job_ids, f"squeue does not list the job, and says: {self._warning}"
            )
        asked_at, trouble = self._accounting.get(job_ids, (float("-inf"), None))
        if time.monotonic() - asked_at >= self._cache_seconds:
            trouble = await self._ask_accounting(job_ids)
            self._accounting = {job_ids: (time.monotonic(), trouble)}
        if trouble:
            doubts = dict.fromkeys(job_ids, trouble)
        ended = self._ended(job_ids)
        return {i: reason for i, reason in doubts.items() if i not in ended}

    async def _ask_accounting(self, job_ids: frozenset[str]) -> str | None:
        """None if it answered; jobs that it does not know are not in its answer."""
        argv = ["sacct", "--noheader", "--parsable2", "--allocations", f"--format={SACCT_FORMAT}"]
        argv.append(f"--jobs={','.join(sorted(job_ids))}")
        try:
            result = await self._answer(argv)
            found = parse_sacct(result.output)
        except _NoAnswer as e:
            # A cluster without accounting has no more to tell than squeue does.
            return None if "storage is disabled" in str(e) else f"Slurm's accounting: {e}"
        except Unreadable as e:
            return f"The answer of Slurm's accounting cannot be read; sacct said: {e}"
        if result.errors.strip() and not found.known:
            return None if "storage is disabled" in result.errors else result.errors.strip()
        for i in job_ids:
            self._accounted.pop(i, None)
        self._accounted |= found.known
        if found.unclear:
            words = ", ".join(sorted(set(found.unclear.values())))
            return f"Slurm's accounting names a state that is not known here: {words}."
        return None

    async def _answer(self, argv: list[str]) -> Result:
        try:
            result = await self._run(argv, MOST_BYTES)
        except (CommandTimeout, CommandMissing) as e:
            raise _NoAnswer(str(e)) from e
        if result.too_long:
            raise _NoAnswer(f"{argv[0]} said more than {MOST_BYTES} bytes, which is not read.")
        said = result.errors.strip()
        if result.status and not result.output and said.endswith(_NO_SUCH_JOB):
            return replace(result, status=0, errors=said.removesuffix(_NO_SUCH_JOB))
        if result.status:
            raise _NoAnswer(f"{argv[0]}: {said or f'exit {result.status}'}")
        return result

    async def _run(self, argv: list[str], limit: int) -> Result:
        command = [*self._prefix, self._command(argv[0]), *argv[1:]]
        env = command_environment(argv[0], os.environ)  # of the command, whatever runs it
        return await run(command, _COMMAND_SECONDS, limit=limit, env=env)


class _NoAnswer(Exception):
    pass
