"""A Hub's commands to Slurm: as the user, by argument list, with Slurm's answers in plain words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchspawner.batchspawner import format_template

from ..model.errors import SchedulerRefused, SchedulerUnavailable
from ..model.job import JobInfo
from ..model.session import Resources
from ..scheduler import slurm_words as words
from ..scheduler.base import Snapshot
from ..scheduler.command import CommandMissing, CommandTimeout, run
from ..scheduler.slurm import resource_options
from ..scheduler.slurm_queue import SlurmQueue
from ..site.options import MoonlightSite

_SUBMIT_SECONDS = 20.0
_JOB_ID = re.compile(r"[0-9]+")

# One question about all jobs serves all spawners of a Hub.
_queues: dict[tuple[str, ...], SlurmQueue] = {}


@dataclass(frozen=True)
class HubSlurm:
    """Slurm as a Hub speaks to it for one user.

    Parameters
    ----------
    prefix
        By what a command becomes the user's: ``sudo -E -u alice``, split into words.
    """

    site: MoonlightSite
    prefix: Sequence[str]

    async def submit(
        self,
        script: str,
        resources: Resources,
        options: Sequence[str],
        env: Mapping[str, str],
    ) -> str:
        """Submit a script with these options beside the resources'; the job's id.

        Raises
        ------
        SchedulerRefused, SchedulerUnavailable
        """
        argv = [*self.prefix, self._command("sbatch"), "--parsable", "--no-requeue"]
        argv += [*resource_options(self.site, resources), *options]
        try:
            result = await run(argv, _SUBMIT_SECONDS, stdin=script, env=env)
        except (CommandTimeout, CommandMissing) as e:
            raise SchedulerUnavailable(f"Slurm did not take the job: {e}.") from e
        self.expire()
        job_id = result.output.strip().split(";")[0]
        if result.status == 0 and _JOB_ID.fullmatch(job_id):
            return job_id
        said = result.errors + result.output
        if words.TIMED_OUT.search(said) or words.UNREACHABLE.search(said):
            raise SchedulerUnavailable("Slurm's controller does not answer. Try again later.")
        raise SchedulerRefused(words.refused(said, self._asked(resources)))

    async def look(self, job_id: str) -> tuple[JobInfo | None, Snapshot]:
        """What Slurm says of a job, None if it says nothing; and how good its answer is."""
        snapshot = await self.queue.snapshot({job_id})
        seen = job_id in snapshot.jobs and job_id not in snapshot.unlisted
        if not seen and snapshot.stale_since is None:
            # Where jobs are private (PrivateData=jobs) it is their user who is told of them.
            snapshot = await self._users_own.snapshot({job_id})
        return snapshot.jobs.get(job_id), snapshot

    async def cancel(self, job_id: str) -> None:
        """Raises SchedulerUnavailable if Slurm does not take it."""
        try:
            argv = [*self.prefix, self._command("scancel"), job_id]
            result = await run(argv, _SUBMIT_SECONDS)
        except (CommandTimeout, CommandMissing) as e:
            raise SchedulerUnavailable(f"Slurm does not end job {job_id}: {e}.") from e
        self.expire()
        if result.status:
            raise SchedulerUnavailable(f"Slurm does not end job {job_id}: {result.errors.strip()}")

    @property
    def queue(self) -> SlurmQueue:
        return self._queue(None, ())

    @property
    def _users_own(self) -> SlurmQueue:
        return self._queue("--me", self.prefix)

    def expire(self) -> None:
        """Make the next question a new one."""
        self.queue.expire()
        self._users_own.expire()

    def _queue(self, whose: str | None, prefix: Sequence[str]) -> SlurmQueue:
        site = self.site
        key = (site.partition, site.qos, site.slurm_bin, *prefix)
        if key not in _queues:
            asked = words.Asked(site.partition, site.qos, site.account, hours=site.max_hours)
            seconds = site.cache_seconds, site.answer_seconds
            _queues[key] = SlurmQueue(self._command, asked, *seconds, whose, prefix)
        return _queues[key]

    def _command(self, name: str) -> str:
        return self.site.slurm_command(name) or name

    def _asked(self, resources: Resources) -> words.Asked:
        site, r = self.site, resources
        return words.Asked(
            site.partition, site.qos, site.account, r.hours, r.gpus, r.cpus, r.memory_gb
        )


def words_of(template: str, **variables: str) -> list[str]:
    """A command of a Hub's configuration as an argument list: what is filled in stays one word."""
    return [format_template(word, **variables) for word in shlex.split(template)]
