"""What is remembered of a session. Each part has one writer, so nothing needs a lock.

``facts`` never change. ``job``, ``stop`` and ``end`` are written once. ``name`` is its user's word, the last
one counts. ``seen`` is the last answer of the batch system, so that a restarted server has something to show
while Slurm is away.
What a user sees is made of these parts by :mod:`moonlight_spawner.sessions.derive`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from pydantic import Field

from .job import JobInfo
from .names import SessionName
from .sentences import Said
from .session import (
    Allocation,
    End,
    Gateway,
    Model,
    Moment,
    Noted,
    Resources,
    Session,
    State,
    Steps,
    Way,
    now,
)
from .texts import PathText

#: How long before its job's limit a session ends itself: it takes up to 5 s, the clocks of a
#: controller and a node differ a little, and Slurm may have to be asked once more.
END_RESERVE = timedelta(seconds=20)
#: What opens a gateway: one word of a header.
OPENING_WORD = r"^[A-Za-z0-9_-]{22,128}$"


class Facts(Model):
    """What was asked for, when and by whom."""

    session_id: str
    user: str
    image_id: str
    image_name: str
    image_names: dict[str, str] = Field(default_factory=dict)
    image_path: PathText | None = None
    application: list[str] = []  # a program in the place of a desktop
    host: str
    scheduler: str
    place: str = ""  # the machine or cluster whose scheduler that is, empty if unknown
    door: str = ""
    way: Way = Way.JOB
    allocation: Allocation | None = None
    request: Resources
    created_at: Moment = Field(default_factory=now)

    def session(self, job_id: str | None, **known: Any) -> Session:
        """The session as it is before anything is known of it but its job, and what is ``known``."""
        return Session(
            session_id=self.session_id,
            user=self.user,
            image_id=self.image_id,
            image_name=self.image_name,
            image_names=self.image_names,
            status=State.PENDING,
            host=self.host,
            request=self.request,
            scheduler=self.scheduler,
            slurm_job_id=job_id if self.scheduler == "slurm" else None,
            door=self.door,
            way=self.way,
            allocation=self.allocation,
            created_at=self.created_at,
            **known,
        )


class Name(Model):
    """What its user calls a session; empty: nothing any more. ``at``: since when; each has a later one
    than the one before it, whatever the clocks of the user's doors say."""

    text: SessionName
    at: Moment | None = None  # of a version that wrote none

    def followed_by(self, text: str) -> Name:
        at = now()
        return Name(text=text, at=max(at, self.at + timedelta(microseconds=1)) if self.at else at)


class Job(Model):
    """The batch job of a session."""

    job_id: str
    submitted_at: Moment = Field(default_factory=now)


class StopReason(str, Enum):
    """Who wants a session to end, and why."""

    USER = "user"
    START_TIMEOUT = "start_timeout"
    OVERDUE = "overdue"


class Stop(Model):
    """It is to end: its user wants that, or the portal for a reason of the site's."""

    requested_at: Moment = Field(default_factory=now)
    why: StopReason = StopReason.USER

    def end(self, moment: datetime | None = None) -> End:
        """How a session has ended that was told so."""
        state, code, reason = _STOPPED[self.why]
        return End(state=state, code=code, reason=reason, ended_at=moment or now())


_STOPPED = {
    StopReason.USER: (State.CANCELLED, "StoppedByUser", "You stopped it."),
    StopReason.START_TIMEOUT: (
        State.FAILED,
        "StartTimeout",
        "The desktop was not ready in the time that this site gives it, so it was ended. Its log says how "
        "far it came; start it again.",
    ),
    StopReason.OVERDUE: (
        State.TIMEOUT,
        "TimeLimit",
        "The session reached its time limit and did not end by itself, so it was ended.",
    ),
}


def ended_outside(scheduler: str) -> Said:
    """The words for an end that neither its user nor its time has brought."""
    if scheduler == "local":
        return Said(
            "It was ended from outside: this machine was shut down, or somebody ended its processes.",
            "EndedOutside",
        )
    return Said(
        "The job was ended from outside (scancel, preemption or an administrator).",
        "CancelledOutside",
    )


class Missed(Model):
    """Since when the batch system answers and knows nothing of a job that it may have taken."""

    since: Moment = Field(default_factory=now)


class Seen(Model):
    """What the batch system said last."""

    job: JobInfo
    at: Moment = Field(default_factory=now)


class AgentStatus(Noted):
    """What the agent on the node says: it alone writes this, as ``status.json``."""

    phase: str = "starting"  # starting, running, stopping, ended
    steps: Steps = Field(default_factory=list)
    node: str | None = None
    display_num: int | None = None
    sunshine_port: int | None = None
    gateway: Gateway | None = None
    encoder: str | None = None
    gl_renderer: str | None = None
    audio: bool | None = None
    screen: str | None = None
    clipboard: str = "off"
    files: str = "off"
    picture: str = "off"
    sharing: str = "off"
    guests: int = Field(default=0, ge=0, lt=1000)
    started_at: Moment = Field(default_factory=now)
    beat: Moment = Field(default_factory=now)
    # Grows with every word: times are to the second.
    sequence: int = Field(default=0, ge=0, lt=10**12)
    ends_at: Moment | None = None
    idle_minutes: float | None = None
    idle_ends_at: Moment | None = None
    ending: End | None = None  # decided, while its parts are being ended
    end: End | None = None

    def put_into(self, session: Session) -> None:
        """What it knows of its session; not how that ended."""
        session.steps = self.steps
        session.node = self.node or session.node
        session.display_num, session.sunshine_port = self.display_num, self.sunshine_port
        session.encoder, session.gl_renderer = self.encoder, self.gl_renderer
        session.audio, session.clipboard, session.files = self.audio, self.clipboard, self.files
        session.screen, session.picture = self.screen, self.picture
        session.sharing, session.guests = self.sharing, self.guests
        session.notes = self.notes
        session.gateway = self.gateway
        session.idle_minutes, session.idle_ends_at = self.idle_minutes, self.idle_ends_at
        session.started_at = session.started_at or self.started_at
        if self.ends_at:  # it knows best: it ends it
            session.ends_at = self.ends_at
        elif session.ends_at is None and session.allocation is None:
            session.ends_at = session.started_at + timedelta(minutes=session.request.minutes)


class SessionRecord(Model):
    """All of one session's parts that a look at it needs, for who keeps a copy of them. ``token`` opens
    the gateway of a live one."""

    facts: Facts
    name: Name | None = None
    job: Job | None = None
    stop: Stop | None = None
    end: End | None = None
    seen: Seen | None = None
    missed: Missed | None = None
    status: AgentStatus | None = None
    token: str | None = Field(default=None, pattern=OPENING_WORD, repr=False)


class Callback(Model):
    """Where the agent sends its status besides: ``callback.json`` in the session's directory, there
    if the portal's service launched the session. ``token`` opens nothing else; ``ca`` is PEM."""

    url: str
    token: str
    ca: str | None = None


#: The header with what a session tells of itself in which it says until when its credentials for TURN last,
#: in seconds of the epoch. The answer may be JSON of others.
TURN_UNTIL = "Moonlight-Turn-Until"


class TurnCredentials(Model):
    """What the site's TURN server takes until a moment with which the name begins, in seconds of the
    epoch: ``1796030744:ml-alice``."""

    username: str = Field(max_length=200, pattern=r"^[0-9]{1,12}:[!-~]+$")
    credential: str = Field(max_length=200, pattern=r"^[!-~]+$", repr=False)


class SunshineOptions(Model):
    """What the site and the image say about Sunshine and its browser client."""

    command: list[str] = ["sunshine"]
    web_command: list[str] = ["web-server"]
    web_directory: str | None = None
    native_clients: bool = False
    webrtc: bool = False
    stun_uris: list[str] = []
    turn_uris: list[str] = []
    turn_username: str | None = None
    turn_credential: str | None = Field(default=None, repr=False)

    def take(self, turn: TurnCredentials) -> None:
        self.turn_username, self.turn_credential = turn.username, turn.credential


class ImageOptions(Model):
    """How a session sees its image. ``changes`` is ``read-only``, ``overlay`` or ``sandbox``,
    ``home`` is ``bound`` (the user's own) or ``private`` (one that only sessions see)."""

    changes: str = "read-only"
    overlay_mb: int = 4096
    home: str = "bound"
    binds: list[str] = []
    sandboxes_dir: PathText = ""


class IdleOptions(Model):
    """When a desktop that nobody uses is ended; ``minutes`` 0: never."""

    minutes: float = 0.0
    warning_minutes: float = 5.0
    watching_minutes: float = 0.0
    cpu_percent: float = 10.0
    gpu_percent: float = 5.0
    ends_busy: bool = False


class Spec(Model):
    """What the agent has to do, and all it needs to know: ``spec.json`` in the session's directory."""

    session_id: str
    image_id: str
    image_path: PathText | None = None
    application: list[str] = []
    host: str
    request: Resources
    max_width: int
    max_height: int
    display_min: int
    display_max: int
    port_min: int
    port_max: int
    gateway_address: str
    gateway_plain_http: bool
    log_dir: PathText
    scheduler: str
    way: Way = Way.JOB
    job_ends_at: Moment | None = None  # of a job that was there before; None: not known
    x_server_command: list[str] = []
    virtualgl: bool = True
    audio: bool = True
    input_method: bool = True
    clipboard: str = "off"
    files: str = "off"
    files_folders: list[PathText] = []
    previews: bool = False
    sharing: str = "off"
    image: ImageOptions = ImageOptions()
    sunshine: SunshineOptions = SunshineOptions()
    idle: IdleOptions = IdleOptions()
    environment: list[str] = []  # the names in the site's job_environment: wanted in images, too
