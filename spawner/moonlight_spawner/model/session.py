"""The session: the one model that all rooms exchange.

A session is one desktop in one job of the batch system. Its life is
``pending → starting → running → stopping → completed | failed | cancelled | timeout``.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from enum import Enum
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    field_serializer,
    model_validator,
)

from .moments import from_epoch as from_epoch
from .moments import now as now
from .names import SessionName
from .sentences import Coded, Params, Said
from .texts import Words

SESSION_ID = re.compile(r"ml-[a-z0-9_][a-z0-9._-]{0,31}-[a-z2-7]{10}")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
# Far enough from those that a datetime can have: hours may be added, and zones changed.
_EARLIEST = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST = datetime(3000, 1, 1, tzinfo=timezone.utc)


def new_session_id(user: str) -> str:
    """``ml-<user>-<random>``; safe as a file name, job name and URL part.

    The random part keeps ids apart (50 bits). It is no secret: any user of a cluster can read
    the names of all jobs.
    """
    return f"{name_in_ids(user)}-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))


def may_be_of(user: str, session_id: str) -> bool:
    """Whether an id has the form of this user's. Names that differ in other signs than these alone
    (``a!``, ``a?``), or behind the 32nd, have the same form."""
    beginning = f"{name_in_ids(user)}-"
    begins = session_id.startswith(beginning) and len(session_id) == len(beginning) + 10
    return begins and SESSION_ID.fullmatch(session_id) is not None


def name_in_ids(user: str) -> str:
    """``ml-<user>``: with what all ids of this user's sessions begin."""
    name = re.sub(r"[^a-z0-9._-]", "_", user.lower())[:32].lstrip(".-") or "user"
    return f"ml-{name}"


def job_named(environ: Mapping[str, str]) -> str:
    """The job that the environment names, as squeue shows it; empty if it names none."""
    array, task = environ.get("SLURM_ARRAY_JOB_ID", ""), environ.get("SLURM_ARRAY_TASK_ID", "")
    named = f"{array}_{task}" if array and task else environ.get("SLURM_JOB_ID", "")
    return named if re.fullmatch(r"[0-9]+(_[0-9]+)?", named) else ""


class State(str, Enum):
    """Where a session is in its life."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"

    @property
    def ended(self) -> bool:
        return self in (State.COMPLETED, State.FAILED, State.CANCELLED, State.TIMEOUT)


class StepState(str, Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class StaleCode(str, Enum):
    """Why the present state of a session is not known."""

    SCHEDULER_AWAY = "SchedulerAway"
    SCHEDULER_UNCLEAR = "SchedulerUnclear"
    NODE_SILENT = "NodeSilent"
    STARTED_ELSEWHERE = "StartedElsewhere"


def _in_utc(value: datetime) -> datetime:
    value = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    if _EARLIEST.year < value.year < _LATEST.year - 1:  # in every zone
        return value
    if not _EARLIEST <= value < _LATEST:
        raise ValueError(f"{value.isoformat()} is no time of a session")
    return value


#: A time in a record. Without a zone it is taken for UTC, which all our times are: it cannot be compared
#: else. One with which nothing can be reckoned is refused: a record may be somebody's who wants just that.
Moment = Annotated[datetime, AfterValidator(_in_utc)]


class Model(BaseModel):
    """Records are read by versions older and newer than the writer: unknown keys are passed over.

    A field that is a time is a :data:`Moment`. Numbers with which nothing can be reckoned are refused, too.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class Step(Model):
    """One step of a start on the node."""

    id: str
    label: str
    state: StepState = StepState.WAITING
    detail: Words = ""
    detail_code: str = ""
    detail_params: Params = Field(default_factory=dict)
    started_at: Moment | None = None
    ended_at: Moment | None = None


#: Lists of an agent's, in records that a service reads for many users: no longer than any agent makes
#: them, and no more of them is read than the first thing that is wrong.
Steps = Annotated[list[Step], Field(max_length=64), FailFast()]
Notes = Annotated[list[Said], Field(max_length=256), FailFast()]
NoteCodes = Annotated[list[Coded], Field(max_length=256), FailFast()]


class Noted(Model):
    """What has notes. They are sentences, as versions know them that have no codes; ``note_codes`` has the
    code of each, in their order, and is there in JSON alone: inside, a note has its own."""

    notes: Notes = Field(default_factory=list)
    note_codes: NoteCodes = Field(default_factory=list, repr=False)

    @model_validator(mode="after")
    def _with_codes(self) -> Noted:
        if self.note_codes and len(self.note_codes) == len(self.notes):
            both = zip(self.notes, self.note_codes, strict=True)
            self.notes = [Said(text, one.code, one.params) for text, one in both]
        self.note_codes = []
        return self

    @field_serializer("note_codes", when_used="json")
    def _codes(self, _: list[Coded]) -> list[Coded]:
        return [Coded.of(note) for note in self.notes]


class Queue(Model):
    """Why a pending session waits. ``position`` counts from 1 among ``pending`` waiting jobs.

    ``at_least``: so many are ahead that they were not all counted; it is this place or a later one.
    """

    code: str
    message: str
    position: int | None = None
    at_least: bool = False
    pending: int | None = None
    estimated_start: Moment | None = None


class Resources(Model):
    """What a session asked for, after validation. ``memory_gb`` is GiB as Slurm's ``G`` is.

    ``follow_window``: the screen gets the size of the window that shows it; ``resolution`` is its
    first one. Else it keeps that, until somebody who looks at it changes it.
    ``picture``: its user's list may begin with a small picture of it.
    """

    image: str
    hours: float
    cpus: int
    memory_gb: float
    gpus: int
    resolution: str
    follow_window: bool = True  # as it always was, before it could be chosen
    fps: int
    bitrate_kbps: int = 20000
    keyboard: str = "us"
    host: str = "auto"
    begin: Moment | None = None  # not before that
    mail: bool = False  # when it begins
    mail_to: str = ""
    picture: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, _, height = self.resolution.partition("x")
        return int(width), int(height)

    @property
    def minutes(self) -> int:
        return max(1, round(self.hours * 60))


class Way(str, Enum):
    """How a session and its job belong together."""

    JOB = "job"  # the job was submitted for the session
    OWNING = "owning"  # the job was there first, and is the session: a stop may end it
    GUEST = "guest"  # the job has another purpose: a stop ends the desktop only


class Allocation(Model):
    """What a job has on its node that was there before its session. None: not to be learned there."""

    node: str
    cpus: int | None = None
    memory_gb: float | None = None
    gpus: int | None = None
    ends_at: Moment | None = None


class Gateway(Model):
    """Where the session's gateway listens, and the certificate (PEM) it must show.

    ``hosts`` are names or addresses of the node, best first. ``socket`` is a Unix socket of the same gateway,
    for its own user's programs on its own ``machine`` (:func:`..processes.mark.this_machine`); empty if
    there is none.
    """

    hosts: Annotated[list[str], Field(max_length=256), FailFast()]
    port: int
    certificate: str
    socket: str = ""
    machine: str = ""


class End(Model):
    """How a session ended."""

    state: State
    reason: Words
    code: str
    params: Params = Field(default_factory=dict)  # of the reason
    ended_at: Moment = Field(default_factory=now)

    @classmethod
    def saying(cls, state: State, reason: Said) -> End:
        return cls(state=state, reason=str(reason), code=reason.code, params=reason.params)


class Session(Noted):
    """A session as every door sees it.

    ``reason`` is a sentence for the user and ``reason_code`` a stable word for programs, ``reason_params``
    what the sentence speaks of.
    ``image_names`` are the image's names in other languages, by their tags (``ko``).
    ``encoder``, ``gl_renderer``, ``audio`` and ``screen`` (its size, ``1280x720``) are what the node
    really uses, None until it is known; ``clipboard`` and ``files`` are ``both``, ``to_desktop``,
    ``from_desktop`` or ``off``; ``picture`` is ``shown``, ``hidden`` (by its user) or ``off``.
    ``sharing`` is what its user may give whom he invites (``off``, ``view``, ``control``), ``guests``
    how many of those look on.
    ``idle_minutes``: it is ended when nobody has used it for so long, None: it is not; ``idle_ends_at``
    is set once that is near.
    ``name`` is its user's for it, empty if he gave none.
    ``door`` is where it was started (``jupyterlab``, ``cli``, …; empty in records of older versions).
    ``allocation`` is set where the job was there before the session (``way``): what they share.
    ``stale_since`` is set while the batch system or the node does not answer, or when neither can be
    asked from here (``stale_code``): the rest is the last known truth.
    """

    session_id: str
    user: str
    image_id: str
    image_name: str
    image_names: dict[str, str] = Field(default_factory=dict)
    name: SessionName = ""
    status: State
    reason: Words = ""
    reason_code: str = ""
    reason_params: Params = Field(default_factory=dict)
    host: str
    request: Resources
    scheduler: str
    slurm_job_id: str | None = None
    door: str = ""
    way: Way = Way.JOB
    allocation: Allocation | None = None
    queue: Queue | None = None
    steps: Steps = Field(default_factory=list)
    node: str | None = None
    display_num: int | None = None
    sunshine_port: int | None = None
    encoder: str | None = None
    gl_renderer: str | None = None
    audio: bool | None = None
    screen: str | None = None
    clipboard: str = "off"
    files: str = "off"
    picture: str = "off"
    sharing: str = "off"
    guests: int = 0
    created_at: Moment
    started_at: Moment | None = None
    ends_at: Moment | None = None
    idle_minutes: float | None = None
    idle_ends_at: Moment | None = None
    ended_at: Moment | None = None
    stale_since: Moment | None = None
    stale_reason: str | None = None
    stale_code: StaleCode | None = None
    gateway: Gateway | None = Field(default=None, exclude=True)

    @property
    def live(self) -> bool:
        return not self.status.ended

    def take(self, end: End) -> None:
        """It has ended so."""
        self.status, self.reason, self.reason_code = end.state, end.reason, end.code
        self.reason_params = end.params
        self.ended_at, self.ends_at, self.idle_ends_at = end.ended_at, None, None


def newest_first(sessions: Iterable[Session]) -> list[Session]:
    """In the order of every list. By numbers: times of several zones are slow to compare."""
    return sorted(sessions, key=lambda s: (s.created_at.timestamp(), s.session_id), reverse=True)
