"""Tells Slurm why the job ends, in the job's own comment: reports count what was given back by that.

An ordinary user may change the comment of his running job; Slurm's accounting has what it is at the end,
where it keeps comments (AccountingStoreFlags=job_comment; measured on 22.05).
"""

from __future__ import annotations

import logging
import os

from ...model.limits import IDLE_MARK
from ...model.session import job_named
from ...processes.caller import command_environment
from ...processes.child import output_of

log = logging.getLogger(__name__)

_SECONDS = 5.0


async def mark_job() -> None:
    """Add it to what the comment says; where Slurm does not answer, nobody is told and nothing is lost."""
    job = job_named(os.environ)
    if not job:
        return
    ask = ["squeue", "--noheader", f"--jobs={job}", "--format=%k"]
    said = await output_of(ask, command_environment("squeue", os.environ), _SECONDS)
    if said is None:
        log.info("idle: the job's comment cannot be read, so no report counts this end")
        return
    words = [word for word in (said.strip(), IDLE_MARK) if word and word != "(null)"]
    argv = ["scontrol", "update", f"JobId={job}", f"Comment={' '.join(words)}"]
    env = command_environment("scontrol", os.environ)
    if await output_of(argv, env, _SECONDS) is None:
        log.info("idle: the job's comment cannot be changed, so no report counts this end")
