"""Jobs of all users, for a service that acts for none of them."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import replace

from ..model.session import may_be_of
from ..site.options import MoonlightSite
from .base import Snapshot
from .command import CommandMissing, CommandTimeout, run
from .slurm_queue import SlurmQueue
from .slurm_words import Asked

log = logging.getLogger(__name__)

_NAMES_SECONDS = 10.0
# A record may name any job, and squeue says nothing of all others where one number is none to it.
_NUMBER = re.compile(r"(?P<job>[0-9]{1,10})(_[0-9]{1,10})?", re.ASCII)
_LARGEST = (1 << 31) - 1
_COMMAND_SECONDS = 30.0
# squeue fills a field up to its size, and cuts off what is longer; ours have 46 signs at the most.
_LONGEST_NAME = 64
_MOST_BYTES = 4 << 20


class EverybodysJobs:
    """One squeue for all. What it does not list may be hidden from the service (PrivateData), so it
    says of no job that there is none: that is for its user to find out."""

    def __init__(self, site: MoonlightSite):
        self._site = site
        asked = Asked(site.partition, site.qos, site.account, hours=site.max_hours)
        seconds = site.cache_seconds, site.answer_seconds
        self._queue = SlurmQueue(self._command, asked, *seconds, whose=None, owners=True)
        self._names: Mapping[str, str] = {}
        self._names_at = float("-inf")

    async def snapshot(self, job_ids: Collection[str]) -> Snapshot:
        """What is known of these jobs; of those that it has nothing of, nothing is known."""
        asked = [job_id for job_id in job_ids if _is_number(job_id)]
        return replace(await self._queue.snapshot(asked), complete=False)

    async def place(self) -> str:
        return await self._queue.cluster()

    async def sessions(self) -> Mapping[str, str]:
        """Sessions that jobs of our QoS or partition are named for, and whose jobs they are, as it was
        some seconds ago. Anybody can give a job of his such a name; who it is says Slurm, and a name
        that could not be a session of his is none."""
        where = [
            f"--{option}={value}"
            for option, value in (("qos", self._site.qos), ("partition", self._site.partition))
            if value
        ][:1]
        if not where or time.monotonic() - self._names_at < _NAMES_SECONDS:
            return self._names
        self._names_at = time.monotonic()
        # A name may hold any character, line ends too: a line is over where nobody could have written.
        # And it may have a thousand signs, of which some hundred jobs would fill the answer.
        end = secrets.token_hex(16)
        argv = ["--noheader", "--all", "--states=PENDING,RUNNING", *where]
        argv.append(f"--format=%u|%{_LONGEST_NAME}j|{end}")
        try:
            result = await run(
                [self._command("squeue"), *argv], _COMMAND_SECONDS, limit=_MOST_BYTES
            )
        except (CommandTimeout, CommandMissing) as e:
            log.info("jobs of sessions that nobody told of are not looked for: %s", e)
            return self._names
        if not result.status:
            lines = (line.partition("|") for line in result.output.split(f"|{end}\n"))
            named = ((user, name.rstrip(" ")) for user, _, name in lines)
            self._names = {name: user for user, name in named if may_be_of(user, name)}
        return self._names

    async def close(self) -> None:
        await self._queue.close()

    def _command(self, name: str) -> str:
        return self._site.slurm_command(name) or name


def _is_number(job_id: str) -> bool:
    number = _NUMBER.fullmatch(job_id)
    return number is not None and 0 < int(number["job"]) <= _LARGEST
