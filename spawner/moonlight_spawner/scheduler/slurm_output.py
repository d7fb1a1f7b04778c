"""What squeue and sacct print, read strictly: what is not understood whole is no answer.

A line that cannot be read may have been the one that was asked for. Who passes it over takes a job
that runs for one that is gone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime

from ..model.job import JobInfo, JobState
from ..model.session import from_epoch
from .slurm_words import STATES, Asked, ended, pending

# The reason comes last: it is free text. Job name and comment may hold any character, so they
# are never asked for.
SQUEUE_FORMAT = "%i|%T|%P|%Q|%B|%S|%e|%r"
#: Before it, where jobs of several users are asked for: whose each is.
OWNER_FORMAT = "%u|"
# As squeue's %i: 100_3 in an array, whose last task has the array's own number as its raw one.
SACCT_FORMAT = "JobID,State,NodeList,Start,End"

_JOB = re.compile(r"[0-9]+(_([0-9]+|\[[^|]*))?(\+[0-9]+)?")
_WORD = re.compile(r"[A-Z][A-Z_]*")
_LAST_SECOND = 253402300799  # of the year 9999, the calendar's last


class Unreadable(Exception):
    """An answer that is not of the form that was asked for."""


@dataclass(frozen=True)
class Line:
    """A line of squeue's: ``job`` is None where its state, ``word``, is one that nobody knows here."""

    owner: str
    job_id: str
    word: str
    partition: str
    job: JobInfo | None


@dataclass
class Jobs:
    """Jobs by id; those whose state is a word that nobody knows here, and partitions of the waiting.
    ``lines`` is what each line of the answer was read as."""

    known: dict[str, JobInfo] = field(default_factory=dict)
    unclear: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)


def parse_squeue(text: str, asked: Asked, owners: bool = False, before: Jobs | None = None) -> Jobs:
    """squeue's lines in :data:`SQUEUE_FORMAT`, with ``owners`` behind :data:`OWNER_FORMAT`.

    A line of the answer ``before`` it, to the same question, is not read again: of many jobs most say
    what they said, and their :class:`JobInfo` is the very same.

    Raises
    ------
    Unreadable
    """
    jobs, known = Jobs(), before.lines if before else {}
    for said in text.splitlines():
        line = jobs.lines[said] = known.get(said) or _line(said, asked, owners)
        if owners:
            jobs.owners[line.job_id] = line.owner
        if line.job is None:
            jobs.unclear[line.job_id] = line.word
            continue
        jobs.known[line.job_id] = line.job
        if line.job.state is JobState.PENDING:
            jobs.waiting[line.job_id] = line.partition
    return jobs


def _line(line: str, asked: Asked, owners: bool) -> Line:
    owner, line = line.split("|", 1) if owners and "|" in line else ("", line)
    job_id, word, partition, _, node, start, end, reason = _fields(line, 8, free_text=True)
    known = STATES.get(word)
    if known is None:
        return Line(owner, job_id, word, partition, None)
    begin, finish = _time(start), _time(end)
    job = JobInfo(job_id=job_id, state=known.state, node=_node(node))
    if known.state is JobState.PENDING:
        code, message = pending(reason, replace(asked, partition=partition), word)
        update = {"code": code, "message": message, "estimated_start": begin, "node": None}
    elif known.state.ended:
        update = {"ended_at": finish, **ended(word, reason)}
    else:
        update = {"started_at": begin, "ends_at": finish}
        update |= {"code": known.code, "message": known.message}
    return Line(owner, job_id, word, partition, job.model_copy(update=update))


def parse_sacct(text: str) -> Jobs:
    """sacct's lines in :data:`SACCT_FORMAT`.

    Raises
    ------
    Unreadable
    """
    jobs = Jobs()
    for line in text.splitlines():
        job_id, words, node, start, end = _fields(line, 5)
        word = words.split()[0]  # CANCELLED by 1001
        known = STATES.get(word)
        if known is None:
            jobs.unclear[job_id] = word
            continue
        job = JobInfo(job_id=job_id, state=known.state, node=_node(node), started_at=_time(start))
        if known.state.ended:
            job = job.model_copy(update={"ended_at": _time(end), **ended(word)})
        jobs.known[job_id] = job
    return jobs


def parse_names(text: str) -> list[tuple[int, str]]:
    """Number and name of each job from squeue's lines in ``%i %j``; our names have no spaces.

    Raises
    ------
    Unreadable
    """
    jobs = []
    for line in text.splitlines():
        job_id, _, name = line.partition(" ")
        if not _JOB.fullmatch(job_id) or not name.strip():
            raise Unreadable(_shown(line))
        if job_id.isdigit():
            jobs.append((int(job_id), name.strip()))
    return jobs


def _fields(line: str, how_many: int, free_text: bool = False) -> list[str]:
    """The parts of a line; ``free_text`` if the last one may hold the separator."""
    fields = line.split("|", how_many - 1 if free_text else -1)
    words = fields[1].split() if len(fields) == how_many else []
    if not words or not _JOB.fullmatch(fields[0]) or not _WORD.fullmatch(words[0]):
        raise Unreadable(_shown(line))
    return fields


def _shown(line: str) -> str:
    return line[:60].encode("unicode_escape").decode("ascii") or "an empty line"


def _time(text: str) -> datetime | None:
    """Epoch seconds; None for `N/A`, 0 and what no calendar has."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    return from_epoch(number) if 0 < number <= _LAST_SECOND else None


def _node(text: str) -> str | None:
    return None if text in ("", "n/a", "(null)", "None assigned") else text
