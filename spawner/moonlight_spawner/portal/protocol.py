"""What the portal's service and a user's side say to each other: a JSON object and a newline, each way.

Either may be the adversary of the other, so each reads bounded bytes and takes nothing but what these
models have. An error is answered in the form of the REST API's.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter, ValidationError

from ..model.errors import (
    ChoicesUnavailable,
    FieldError,
    ImageUnavailable,
    InvalidRequest,
    LimitReached,
    MoonlightError,
    NotFound,
    NotInJob,
    RecordsUnwritable,
    SchedulerRefused,
    SchedulerUnavailable,
    SessionLives,
    UnsafeDirectory,
    UserSideFailed,
    as_json,
    shorten,
)
from ..model.records import OPENING_WORD, SessionRecord, StopReason, TurnCredentials
from ..model.session import End, Gateway, Session
from ..site.choices import KeptChoices
from ..site.images import Image
from .callback import MOST_CA_BYTES, MOST_SEED_SIGNS, SEED

#: A launch of 64 KiB, as the REST API takes it, in ASCII.
MOST_REQUEST_BYTES = 512 << 10
#: Of each log: six of them are one answer, and a byte may take six in JSON.
MOST_TAIL_BYTES = 256 << 10
_MOST_ANSWER_BYTES = 4 << 20
_MOST_LOGS = 8
#: Sessions of one user that the service keeps; the live ones and the latest of the others.
MOST_RECORDS = 200
# Of all of them, with room for the rest of an answer.
MOST_RECORDS_BYTES = _MOST_ANSWER_BYTES - (256 << 10)
_MOST_SESSIONS = 1000
# Bytes cost little to read; values cost the service's loop some microseconds each, which everybody
# waits for. A session has about a hundred.
_MOST_VALUES, _MOST_VALUES_OF_LOGS = 60_000, 200


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


SessionId = Annotated[str, Field(max_length=200)]


class CallbackFor(_Message):
    """Where the session's agent tells the service of itself: below ``url``, with a token that is made
    of ``seed`` (:mod:`.callback`). ``ca`` is PEM."""

    url: str = Field(max_length=1000, pattern=r"^https?://[A-Za-z0-9._~:\[\]/-]+/$")
    seed: str = Field(max_length=MOST_SEED_SIGNS, pattern=SEED)
    ca: str | None = Field(default=None, max_length=MOST_CA_BYTES)


class Create(_Message):
    """Launch a session: ``body`` is the REST API's, checked by the manager. ``turn``: what the service has
    made of a secret that the user need not be able to read."""

    operation: Literal["create"] = "create"
    door: Literal["portal", "api"] = "portal"
    body: Any = None
    key: str | None = None
    callback: CallbackFor | None = None
    turn: TurnCredentials | None = None


class Look(_Message):
    """All sessions, or one."""

    operation: Literal["look"] = "look"
    session_id: SessionId | None = None


class Stop(_Message):
    operation: Literal["stop"] = "stop"
    session_id: SessionId
    why: StopReason = StopReason.USER


class Rename(_Message):
    """``body`` is the REST API's, checked by the manager."""

    operation: Literal["rename"] = "rename"
    session_id: SessionId
    body: Any = None


class Forget(_Message):
    """Delete what is on record of one session that has ended, or of all that have."""

    operation: Literal["forget"] = "forget"
    session_id: SessionId | None = None


class Logs(_Message):
    operation: Literal["logs"] = "logs"
    session_id: SessionId
    tail: int = Field(default=65536, ge=1, le=MOST_TAIL_BYTES)


class ReachFor(_Message):
    """Where the gateway is, with its token: for the service alone."""

    operation: Literal["reach"] = "reach"
    session_id: SessionId


class Images(_Message):
    """What this user can launch: an image's file may be closed to him."""

    operation: Literal["images"] = "images"


class Records(_Message):
    """What is on record of all sessions, live and lately ended, or of one; with the tokens of their
    gateways: for the service alone."""

    operation: Literal["records"] = "records"
    session_id: SessionId | None = None


class Reap(_Message):
    """Forget what ended longer ago than the site keeps it."""

    operation: Literal["reap"] = "reap"


class LookAtChoices(_Message):
    """What he chose in the launch form."""

    operation: Literal["choices"] = "choices"


class KeepChoices(_Message):
    """``body`` is the REST API's, checked by the manager."""

    operation: Literal["keep_choices"] = "keep_choices"
    body: Any = None


A = TypeVar("A", bound=BaseModel)
Request = (
    Create
    | Look
    | Stop
    | Rename
    | Forget
    | Logs
    | ReachFor
    | Images
    | Records
    | Reap
    | LookAtChoices
    | KeepChoices
)
_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="operation")])


class Created(BaseModel):
    session: Session
    record: SessionRecord | None = None
    created: bool


class One(BaseModel):
    session: Session
    record: SessionRecord | None = None


class All(BaseModel):
    sessions: Annotated[list[Session], Field(max_length=_MOST_SESSIONS), FailFast()]


class LogEnd(BaseModel):
    """The end of one log, as :class:`..sessions.manager.Log`."""

    name: str
    size: int = Field(ge=0)
    truncated: bool
    text: str


class LogEnds(BaseModel):
    logs: Annotated[list[LogEnd], Field(max_length=_MOST_LOGS), FailFast()]


class Reached(BaseModel):
    """``gateway`` and ``token``, or nothing while it cannot be reached, or how it ended."""

    gateway: Gateway | None = None
    token: str | None = Field(default=None, pattern=OPENING_WORD)
    end: End | None = None


class Offered(BaseModel):
    images: Annotated[list[Image], Field(max_length=1000), FailFast()]


class Recorded(BaseModel):
    records: Annotated[list[SessionRecord], Field(max_length=MOST_RECORDS), FailFast()]


class Forgotten(BaseModel):
    session_ids: Annotated[list[str], FailFast()]


class Chosen(BaseModel):
    """``changed``: they were not what was to be changed, and are what they were."""

    kept: KeptChoices
    changed: bool = False


class _Fault(BaseModel):
    field: str = Field(max_length=200)
    value: Any = None
    message: str = Field(max_length=2000)


class _Refusal(BaseModel):
    code: str
    fields: Annotated[list[_Fault], Field(max_length=64), FailFast()] = []


class _Refused(BaseModel):
    message: str = Field(max_length=8000)
    error: _Refusal


# What a user's side may say of itself. That it is late, busy or missing is the service's to say.
_ERRORS = {
    error.code: error
    for error in (
        *(NotFound, ImageUnavailable, LimitReached, NotInJob, SchedulerRefused),
        *(
            SchedulerUnavailable,
            SessionLives,
            ChoicesUnavailable,
            RecordsUnwritable,
            UnsafeDirectory,
            UserSideFailed,
        ),
    )
}


def as_line(message: dict[str, Any]) -> bytes:
    """In ASCII, so that whatever a text has in it is one line."""
    return json.dumps(message).encode("ascii") + b"\n"


def read_request(line: bytes) -> Request:
    """
    Raises
    ------
    InvalidRequest
    """
    try:
        return _REQUEST.validate_python(json.loads(line))
    except ValidationError as e:
        fields = [
            FieldError(
                ".".join(map(str, error["loc"])) or "request",
                shorten(error["input"]),
                f"{'.'.join(map(str, error['loc'])) or 'request'}: {error['msg']}.",
            )
            for error in e.errors(include_url=False)
        ]
        raise InvalidRequest(fields) from e
    except (ValueError, RecursionError) as e:
        message = f"The request is not JSON: {shorten(str(e), 120)}."
        raise InvalidRequest([FieldError("request", None, message)]) from e


def most_answer_bytes(request: Request) -> int:
    """How long an answer to it may be, for whoever reads it."""
    if isinstance(request, Logs):
        return _MOST_LOGS * (6 * request.tail + 1000)
    return _MOST_ANSWER_BYTES


def read_answer(line: bytes, model: type[A]) -> A:
    """What a side answers, or what it refuses.

    Raises
    ------
    MoonlightError
        It is an error.
    ValueError
        It is nothing that a user's side may answer.
    """
    most = _MOST_VALUES_OF_LOGS if model is LogEnds else _MOST_VALUES
    if _has_more_values(line, most):
        raise ValueError(f"it has over {most} values")
    if error := read_error(line):
        raise error
    return model.model_validate_json(line)


def _has_more_values(line: bytes, most: int) -> bool:
    """Whether JSON has more of them; told by its commas and quotes, before it is taken apart. A text is
    one, whatever is in it."""
    plain = line.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * most:  # of a value, and of its name
        return True
    return sum(outside.count(b",") for outside in plain.split(b'"')[::2]) > most


def error_line(error: MoonlightError) -> bytes:
    return as_line(as_json(error))


def read_error(line: bytes) -> MoonlightError | None:
    """The error that an answer is; None if it is another answer.

    Raises
    ------
    ValueError
        It looks like an error, and is none that a user's side may give.
    """
    if not line.startswith(b'{"message":'):
        return None
    refused = _Refused.model_validate_json(line)
    if refused.error.code == InvalidRequest.code:
        faults = refused.error.fields
        return InvalidRequest([FieldError(f.field, shorten(f.value), f.message) for f in faults])
    error = _ERRORS.get(refused.error.code)
    if error is None:
        raise ValueError(f"there is no error {shorten(refused.error.code)}")
    return error(refused.message)
