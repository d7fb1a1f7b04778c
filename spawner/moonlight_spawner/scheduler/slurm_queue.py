"""All jobs in one question, kept for a few seconds, and an answer soon even when Slurm hangs.

squeue takes 18 to 20 s to give up on a controller that is killed or hung (measured on 22.05).
Nobody waits for that: a refresh goes on in the background and callers get the last known jobs,
marked stale.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime

from ..session import from_epoch, now
from .base import JobInfo, JobState, Snapshot
from .command import CommandMissing, CommandTimeout, Result, run
from .slurm_words import STATES, Asked, end_message, pending

log = logging.getLogger(__name__)

_CLUSTER = re.compile(r"^ClusterName\s*=\s*(?P<name>\S+)", re.MULTILINE)

# The reason comes last: it is free text. Job name and comment may hold any character, so they
# are never asked for.
SQUEUE_FORMAT = "%i|%T|%P|%Q|%B|%S|%e|%r"
SACCT_FORMAT = "JobIDRaw,State,NodeList,Start,End"
_COMMAND_SECONDS = 30.0
_LAST_SECOND = 253402300799  # of the year 9999, the calendar's last


class SlurmQueue:
    """The cached answers of squeue and sacct."""

    def __init__(
        self,
        command: Callable[[str], str],
        asked: Asked,
        cache_seconds: float,
        answer_seconds: float,
    ):
        self._command = command
        self._asked = asked
        self._cache_seconds = cache_seconds
        self._answer_seconds = answer_seconds
        self._jobs: dict[str, JobInfo] = {}
        self._accounted: dict[str, JobInfo] = {}
        self._asked_at = self._refresh_began = float("-inf")
        self._good_at: datetime | None = None
        self._trouble: str | None = None
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
            named = _CLUSTER.search(await self._output(["scontrol", "show", "config"]))
        except _NoAnswer:
            return ""
        return named["name"] if named else ""

    async def snapshot(self, job_ids: Collection[str]) -> Snapshot:
        await self._fresh()
        jobs = {i: job for i in job_ids if (job := self._ended(i) or self._jobs.get(i))}
        if self._trouble:
            return Snapshot(jobs, False, self._good_at or self._trouble_since, self._trouble)
        missing = frozenset(i for i in job_ids if i not in jobs)
        if not missing:
            return Snapshot(jobs)
        trouble = await self._look_up(missing)
        # One that runs by the accounting has not ended, whatever squeue leaves out.
        jobs |= {i: self._accounted[i] for i in missing if i in self._accounted}
        if trouble:
            return Snapshot(jobs, False, self._good_at, trouble)
        return Snapshot(jobs)

    def _ended(self, job_id: str) -> JobInfo | None:
        job = self._accounted.get(job_id)
        return job if job and job.state.ended else None

    async def close(self) -> None:
        for task in (self._refresh, self._cluster):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _fresh(self) -> None:
        if self._refresh is None and time.monotonic() - self._asked_at < self._cache_seconds:
            return
        if self._refresh is None:
            self._asked_at = self._refresh_began = time.monotonic()
            self._refresh = asyncio.ensure_future(self._ask())
        task = self._refresh
        patience = self._refresh_began + self._answer_seconds - time.monotonic()
        if patience > 0:  # who asks while it hangs already does not wait again
            await asyncio.wait({task}, timeout=patience)
        if not task.done():
            self._in_trouble("Slurm's controller does not answer.")

    async def _ask(self) -> None:
        try:
            text = await self._output(
                ["squeue", "--noheader", "--all", "--states=all", f"--format={SQUEUE_FORMAT}"]
            )
            self._jobs = parse_squeue(text, self._asked)
            self._good_at = now()
            self._trouble = self._trouble_since = None
        except _NoAnswer as e:
            self._in_trouble(str(e))
            self._asked_at = time.monotonic()
        except Exception:  # an answer that nobody has thought of is no answer
            log.exception("the answer of squeue cannot be used")
            self._in_trouble("Slurm's answer cannot be read.")
            self._asked_at = time.monotonic()
        finally:
            self._refresh = None

    def _in_trouble(self, reason: str) -> None:
        self._trouble = reason
        self._trouble_since = self._trouble_since or now()

    async def _look_up(self, job_ids: frozenset[str]) -> str | None:
        """Ask accounting for jobs that the controller has forgotten; None if it answered."""
        asked_at, trouble = self._accounting.get(job_ids, (float("-inf"), None))
        if time.monotonic() - asked_at < self._cache_seconds:
            return trouble
        argv = ["sacct", "--noheader", "--parsable2", "--allocations", f"--format={SACCT_FORMAT}"]
        argv.append(f"--jobs={','.join(sorted(job_ids))}")
        try:
            found = parse_sacct(await self._output(argv))
            self._accounted |= found
            trouble = None
        except _NoAnswer as e:
            # A cluster without accounting has no more to tell than squeue does.
            trouble = None if "storage is disabled" in str(e) else f"Slurm's accounting: {e}"
        self._accounting = {job_ids: (time.monotonic(), trouble)}
        return trouble

    async def _output(self, argv: list[str]) -> str:
        try:
            result: Result = await run([self._command(argv[0]), *argv[1:]], _COMMAND_SECONDS)
        except (CommandTimeout, CommandMissing) as e:
            raise _NoAnswer(str(e)) from e
        if result.status:
            raise _NoAnswer(f"{argv[0]}: {result.errors.strip() or f'exit {result.status}'}")
        return result.output


class _NoAnswer(Exception):
    pass


def parse_squeue(text: str, asked: Asked) -> dict[str, JobInfo]:
    """Jobs by id from squeue's lines in :data:`SQUEUE_FORMAT`, with each pending job's place."""
    jobs: dict[str, JobInfo] = {}
    waiting: dict[str, list[tuple[int, int, str]]] = {}
    for line in text.splitlines():
        fields = line.split("|", 7)
        if len(fields) < 8:
            continue
        job_id, state_word, partition, priority, node, start, end, reason = fields
        state = STATES.get(state_word, JobState.RUNNING)
        begin, finish = _time(start), _time(end)
        job = JobInfo(job_id=job_id, state=state, node=_node(node))
        if state is JobState.PENDING:
            code, message = pending(reason, replace(asked, partition=partition))
            job = job.model_copy(
                update={"code": code, "message": message, "estimated_start": begin, "node": None}
            )
            number = int(job_id.split("_")[0]) if job_id.split("_")[0].isdigit() else 0
            waiting.setdefault(partition, []).append((-_number(priority), number, job_id))
        elif state.ended:
            update = {"ended_at": finish, "message": end_message(state), "code": state_word}
            job = job.model_copy(update=update)
        else:
            job = job.model_copy(update={"started_at": begin, "ends_at": finish})
        jobs[job_id] = job
    for places in waiting.values():
        for place, (_, _, job_id) in enumerate(sorted(places), 1):
            rank = {"position": place, "pending": len(places)}
            jobs[job_id] = jobs[job_id].model_copy(update=rank)
    return jobs


def parse_sacct(text: str) -> dict[str, JobInfo]:
    """Jobs by id from sacct's lines in :data:`SACCT_FORMAT`."""
    jobs = {}
    for line in text.splitlines():
        fields = line.split("|")
        if len(fields) < 5:
            continue
        job_id, words, node, start, end = fields[:5]
        word = words.split()[0] if words.split() else ""
        state = STATES.get(word, JobState.RUNNING)
        jobs[job_id] = JobInfo(
            job_id=job_id,
            state=state,
            code=word,
            message=end_message(state),
            node=_node(node),
            started_at=_time(start),
            ended_at=_time(end) if state.ended else None,
        )
    return jobs


def _time(text: str) -> datetime | None:
    """Epoch seconds; None for `N/A`, 0 and what no calendar has."""
    return from_epoch(_number(text)) if 0 < _number(text) <= _LAST_SECOND else None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _node(text: str) -> str | None:
    return None if text in ("", "n/a", "(null)", "None assigned") else text
