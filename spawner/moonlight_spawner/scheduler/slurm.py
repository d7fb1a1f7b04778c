"""Sessions as Slurm jobs. The facts are measured on Slurm 22.05 and 24.11 (sbatch, squeue, scancel,
sacct)."""

from __future__ import annotations

import re
from collections.abc import Collection

from ..model.budget import Budget
from ..model.errors import SchedulerRefused, SchedulerUnavailable, SubmitUnconfirmed
from ..model.session import Resources, now
from ..site.options import MoonlightSite
from . import slurm_words as words
from .base import JobRequest, Scheduler, Snapshot
from .command import CommandMissing, CommandTimeout, Result, run
from .slurm_accounting import comment
from .slurm_budget import SlurmBudgets
from .slurm_output import Unreadable, parse_names
from .slurm_queue import SlurmQueue

# sbatch gives up on a hung controller after 10 s, scancel too; they are given a little longer,
# because their own message says more than our clock.
_SUBMIT_SECONDS = 20.0
_JOB_ID = re.compile(r"[0-9]+(_[0-9]+)?")


class SlurmScheduler(Scheduler):
    """Submits with sbatch, asks with squeue and sacct, ends with scancel, as the user himself."""

    name = "slurm"

    def __init__(self, site: MoonlightSite):
        self._site = site
        asked = words.Asked(site.partition, site.qos, site.account, hours=site.max_hours)
        self._queue = SlurmQueue(self._command, asked, site.cache_seconds, site.answer_seconds)
        self._budgets = SlurmBudgets(site, self._command)

    async def submit(self, request: JobRequest) -> str:
        asked = self._asked(request)
        try:
            result = await run(self.sbatch(request), _SUBMIT_SECONDS, stdin=request.script)
        except CommandTimeout as e:
            raise SubmitUnconfirmed(f"Slurm did not answer: {e}.") from e
        except CommandMissing as e:
            raise SchedulerUnavailable(f"Slurm's sbatch cannot be run here: {e}.") from e
        self._queue.expire()
        job_id = result.output.strip().split(";")[0]
        if result.status == 0 and _JOB_ID.fullmatch(job_id):
            return job_id
        if result.status <= 0:  # it says yes without an id, or was killed after it may have asked
            raise SubmitUnconfirmed(
                f"sbatch ended with status {result.status} and without a job id."
            )
        said = result.errors + result.output
        if words.TIMED_OUT.search(said):
            raise SubmitUnconfirmed("Slurm's controller did not answer in time.")
        if words.UNREACHABLE.search(said):
            raise SchedulerUnavailable(
                "Slurm's controller cannot be reached, so nothing was submitted. "
                "Try again in a few minutes."
            )
        raise SchedulerRefused(words.refused(said, asked))

    def sbatch(self, request: JobRequest) -> list[str]:
        """The argument list; the script itself goes to sbatch's standard input.

        ``--export=NONE``: by default sbatch hands the submitter's whole environment to the job,
        secrets included.
        """
        argv = [
            self._command("sbatch"),
            "--parsable",
            f"--job-name={request.name}",
            "--no-requeue",
            "--export=NONE",
            f"--chdir={request.directory}",
            f"--output={str(request.log).replace('%', '%%')}",
            "--open-mode=append",
            f"--comment={comment(request.resources.image)}",
        ]
        return argv + _when(request) + resource_options(self._site, request.resources)

    async def query(self, job_ids: Collection[str]) -> Snapshot:
        return await self._queue.snapshot(job_ids)

    async def place(self) -> str:
        return await self._queue.cluster()

    async def find(self, names: Collection[str]) -> dict[str, str]:
        # Only one's own: everybody can read the names of jobs, and give a job of his the same.
        options = ["--noheader", "--me", "--states=all", "--format=%i %j"]
        result = await self._ask(["squeue", *options, f"--name={','.join(names)}"])
        try:
            found = parse_names(result.output)
        except Unreadable as e:
            raise SchedulerUnavailable(f"Slurm's answer cannot be read; squeue said: {e}") from e
        numbers = {name: str(number) for number, name in sorted(found) if name in names}
        if result.errors.strip() and len(numbers) < len(set(names)):
            # It may have left out more than it knows, and who is not found is taken for lost.
            raise SchedulerUnavailable(f"Slurm does not answer: {result.errors.strip()}")
        return numbers

    async def cancel(self, job_id: str) -> None:
        try:
            result = await run([self._command("scancel"), job_id], _SUBMIT_SECONDS)
        except (CommandTimeout, CommandMissing) as e:
            raise SchedulerUnavailable(
                f"Slurm did not take the request to end job {job_id}: {e}."
            ) from e
        self._queue.expire()
        if result.status == 0:  # also for a job that has ended or never was
            return
        said = result.errors.strip()
        if "Access/permission denied" in said:
            raise SchedulerRefused(f"Job {job_id} belongs to somebody else.")
        raise SchedulerUnavailable(f"Slurm did not take the request to end job {job_id}: {said}")

    async def check(self) -> str | None:
        try:
            await self._ask(
                ["squeue", "--noheader", "--me", "--format=%i"], self._site.answer_seconds
            )
        except SchedulerUnavailable as e:
            return str(e)
        return None

    async def budget(self, user: str) -> Budget:
        return await self._budgets.of(user)

    async def close(self) -> None:
        await self._budgets.close()
        await self._queue.close()

    async def _ask(self, argv: list[str], timeout: float = 30.0) -> Result:
        try:
            result = await run([self._command(argv[0]), *argv[1:]], timeout)
        except (CommandTimeout, CommandMissing) as e:
            raise SchedulerUnavailable(f"Slurm does not answer: {e}.") from e
        if result.status or result.too_long:
            said = result.errors.strip() or f"{argv[0]} ended with status {result.status}"
            raise SchedulerUnavailable(f"Slurm does not answer: {said}")
        return result

    def _command(self, name: str) -> str:
        return self._site.slurm_command(name) or name

    def _asked(self, request: JobRequest) -> words.Asked:
        r = request.resources
        return words.Asked(
            self._site.partition,
            self._site.qos,
            self._site.account,
            r.hours,
            r.gpus,
            r.cpus,
            r.memory_gb,
        )


def _when(request: JobRequest) -> list[str]:
    """A moment is told as seconds from now: sbatch takes any other for one of its own time zone."""
    argv = []
    if begin := request.resources.begin:
        seconds = max(0, round((begin - now()).total_seconds()))
        argv.append(f"--begin=now+{seconds}")
    if request.resources.mail:
        argv.append("--mail-type=BEGIN")
        argv += [f"--mail-user={request.mail_to}"] if request.mail_to else []
    return argv


def resource_options(site: MoonlightSite, resources: Resources) -> list[str]:
    """What sbatch is told of a job's size and place; the site's own options come last."""
    argv = [
        f"--time={resources.minutes}",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={resources.cpus}",
        f"--mem={round(resources.memory_gb * 1024)}M",
    ]
    if resources.gpus:
        argv.append(f"--gres=gpu:{resources.gpus}")
    # What is not set is Slurm's to choose; "--qos=" would ask for a QoS of no name.
    named = {"partition": site.partition, "qos": site.qos, "account": site.account}
    argv += [f"--{option}={name}" for option, name in named.items() if name]
    return argv + list(site.sbatch_options)
