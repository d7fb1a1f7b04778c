"""What Slurm's accounting keeps of jobs that were desktops (sacct(1); measured on 22.05 and 24.11).

Names, comments and command lines of jobs are their users' words and may hold any character, line ends
included. So fields are told apart by a mark that is made anew for each question: nobody can write a
job's name that reads like another user's job.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ..model.errors import SchedulerUnavailable
from ..model.job import JobState
from ..model.limits import IDLE_MARK
from ..model.session import may_be_of
from ..site.options import MoonlightSite
from .command import CommandMissing, CommandTimeout, run
from .slurm_words import STATES

UNKNOWN = "unknown"

_FIELDS = (
    "User",
    "State",
    "Submit",
    "Start",
    "End",
    "TimelimitRaw",
    "AllocTRES",
    "JobName",
    "Comment",
    "SubmitLine",
)
_SECONDS = 300.0
_MOST_BYTES = 256 << 20
_IMAGE = re.compile(r"\bmoonlight:image=([A-Za-z0-9][A-Za-z0-9._-]{0,99})")
_GPUS = re.compile(r"(?:^|,)gres/gpu(:[^=,]*)?=([0-9]+)")
_FAILED = (JobState.FAILED, JobState.NODE_FAIL, JobState.OUT_OF_MEMORY)
_WORD = re.compile(r"[A-Z_]+")


@dataclass(frozen=True)
class Used:
    """One job. Times in seconds since 1970; None where it has not come to that.

    ``state`` is Slurm's own word, ``image`` the id of the session's image or :data:`UNKNOWN`.
    """

    user: str
    image: str
    state: str
    gpus: int
    submitted: float
    started: float | None
    ended: float | None
    # Seconds that were left of its time when it ended because nobody used it; None: not so, or not kept.
    given_back: float | None = None
    commented: bool = False  # Slurm keeps what sessions write into comments


def comment(image: str) -> str:
    """What a job's comment says of its session, for whoever reads the accounting later."""
    return f"moonlight:image={image}"


async def used(
    site: MoonlightSite, since: datetime, until: datetime, user: str | None
) -> list[Used]:
    """The sessions' jobs that waited or ran between two times, of one user or of all (None).

    With a QoS in the settings those are its jobs, whatever door they came by; without one, those
    that have a session's name.

    Raises
    ------
    SchedulerUnavailable
        There is no accounting, it does not answer, or it said what cannot be read.
    """
    sacct = site.slurm_command("sacct") if site.batch_system == "slurm" else None
    if sacct is None:
        raise SchedulerUnavailable(
            "A report is made from Slurm's accounting, but there is no sacct here. Ask where Slurm's "
            "commands are, or set slurm_bin."
        )
    mark = f"<{secrets.token_hex(16)}>"
    argv = [sacct, "--noheader", "--allocations", "--parsable", f"--delimiter={mark}"]
    argv += [f"--starttime={_local(since)}", f"--endtime={_local(until)}"]
    argv.append(f"--format={','.join(_FIELDS)}")
    argv.append(f"--user={user}" if user else "--allusers")
    if site.qos:
        argv.append(f"--qos={site.qos}")
    elif site.partition:
        argv.append(f"--partition={site.partition}")
    try:
        result = await run(argv, _SECONDS, limit=_MOST_BYTES)
    except (CommandTimeout, CommandMissing) as e:
        raise SchedulerUnavailable(f"Slurm's accounting does not answer: {e}.") from e
    if result.too_long:
        raise SchedulerUnavailable(
            f"sacct said more than {_MOST_BYTES >> 20} MiB, which is not read. Ask for a shorter time."
        )
    said = result.errors.strip()
    if "storage is disabled" in said + result.output:
        raise SchedulerUnavailable(
            "This cluster keeps no accounting (Slurm's accounting storage is disabled), and a report is "
            "made from nothing else. An administrator can set slurmdbd up."
        )
    if result.status or (said and not result.output):
        why = said or f"sacct ended with status {result.status}"
        raise SchedulerUnavailable(f"Slurm's accounting does not answer: {why}")
    return list(parse(result.output, mark, every=bool(site.qos)))


def parse(text: str, mark: str, every: bool) -> Iterator[Used]:
    """sacct's answer, each field followed by ``mark``; jobs without a session's name only with ``every``.

    Raises
    ------
    SchedulerUnavailable
        It is not of the form that was asked for.
    """
    *values, rest = text.split(mark)
    if rest.strip() or len(values) % len(_FIELDS):
        raise SchedulerUnavailable("The answer of Slurm's accounting cannot be read.")
    for at in range(0, len(values), len(_FIELDS)):
        user, state, submit, start, end, limit, tres, name, said, line = values[
            at : at + len(_FIELDS)
        ]
        user = user.strip()
        submitted = _time(submit)
        if submitted is None or not (every or may_be_of(user, name)):
            continue
        word = _WORD.match(state)
        yield Used(
            user=user,
            # Not every cluster keeps comments (AccountingStoreFlags=job_comment); the line is kept.
            image=_image(said) or _image(line) or UNKNOWN,
            state=word[0] if word else state,
            gpus=_gpus(tres),
            submitted=submitted,
            started=_time(start),
            ended=_time(end),
            given_back=_given_back(said, limit, _time(start), _time(end)),
            commented=_image(said) is not None or IDLE_MARK in said,
        )


def failed(job: Used) -> bool:
    """Whether it ended by what neither its user nor its time limit wanted."""
    known = STATES.get(job.state)
    return known is not None and known.state in _FAILED


def _given_back(said: str, limit: str, started: float | None, ended: float | None) -> float | None:
    """``limit`` is in minutes, or a word where there is none."""
    if IDLE_MARK not in said.split() or started is None or ended is None:
        return None
    return max(0.0, _number(limit) * 60 - (ended - started)) if _number(limit) else None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _image(text: str) -> str | None:
    found = _IMAGE.search(text)
    return found[1] if found else None


def _gpus(tres: str) -> int:
    """The whole number; a cluster that counts by kinds alone has no line for it."""
    counts = [(kind or "", int(number)) for kind, number in _GPUS.findall(tres)]
    whole = [number for kind, number in counts if not kind]
    return whole[0] if whole else sum(number for _, number in counts)


def _time(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and int(text) else None


def _local(time: datetime) -> str:
    """As sacct takes it: of this machine's zone, which is the zone that it has itself."""
    return time.astimezone().strftime("%Y-%m-%dT%H:%M:%S")
