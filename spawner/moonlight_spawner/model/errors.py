"""The errors that reach a user. Each names what was asked, what was found and what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


class MoonlightError(Exception):
    """Base of all errors with a sentence for the user; ``code`` is a stable word for programs."""

    code = "internal_error"
    #: After so many seconds the same may be asked again; None: nobody knows.
    retry_after: int | None = None

    @property
    def message(self) -> str:
        return str(self)


@dataclass(frozen=True)
class FieldError:
    """One wrong field of a request: its name, the value as sent (shortened), and what is allowed."""

    field: str
    value: Any
    message: str


class InvalidRequest(MoonlightError):
    """One or more fields are wrong."""

    code = "invalid_request"

    def __init__(self, fields: list[FieldError]):
        super().__init__(" ".join(f.message for f in fields))
        self.fields = fields


class NotFound(MoonlightError):
    """No such session of this user, or no such image."""

    code = "not_found"


class ImageUnavailable(MoonlightError):
    """The image is in the catalogue and cannot be used now."""

    code = "image_unavailable"


class LimitReached(MoonlightError):
    """The user has as many live sessions as the site allows."""

    code = "limit_reached"


class SessionLives(MoonlightError):
    """A session's record was to be deleted, and it has not ended, or may not have."""

    code = "session_lives"


class TooManyRequests(MoonlightError):
    """Somebody asks more often than the site lets one user."""

    code = "too_many_requests"

    def __init__(self, message: str, retry_after: int):
        super().__init__(message)
        self.retry_after = retry_after


class NotInJob(MoonlightError):
    """A session was wanted in the job that is already there, and there is none."""

    code = "not_in_job"


class SchedulerRefused(MoonlightError):
    """The batch system said no; nothing was submitted."""

    code = "scheduler_refused"


class SchedulerUnavailable(MoonlightError):
    """The batch system cannot be reached; nothing was submitted or changed."""

    code = "scheduler_unavailable"


class SubmitUnconfirmed(MoonlightError):
    """The batch system did not answer a submission in time: the job may or may not exist."""

    code = "submit_unconfirmed"


class RecordsUnwritable(MoonlightError):
    """A session cannot be put on record: the file system is full, or a quota is."""

    code = "records_unwritable"


class StoreUnavailable(MoonlightError):
    """The portal's records cannot be asked for or written: its Redis is away, slow or full."""

    code = "store_unavailable"
    retry_after = 5


class UnsafeDirectory(MoonlightError):
    """A directory that has to be the user's alone is not, or cannot be made."""

    code = "unsafe_directory"


class ChoicesChanged(MoonlightError):
    """A user's choices are others than those that were changed; ``current`` has what is kept, as JSON."""

    code = "choices_changed"

    def __init__(self, current: dict[str, Any]):
        super().__init__(
            "Your choices were changed elsewhere meanwhile, so nothing was kept. Make the change to what "
            "is kept now."
        )
        self.current = current


class ChoicesUnavailable(MoonlightError):
    """A user's choices cannot be read or written. Nothing else waits for them."""

    code = "choices_unavailable"


class UserSideUnavailable(MoonlightError):
    """The portal's service cannot act as that user: no such account, or sudo does not let it."""

    code = "user_side_unavailable"


class UserSideBusy(MoonlightError):
    """No request of that user could be begun in time: too many are under way."""

    code = "user_side_busy"


class UserSideTimeout(MoonlightError):
    """The user's side was begun and did not answer in time, as with a home that hangs."""

    code = "user_side_timeout"


class UserSideFailed(MoonlightError):
    """The user's side ended without an answer, or with one that cannot be believed."""

    code = "user_side_failed"


def as_json(error: MoonlightError) -> dict[str, Any]:
    """In the form of the REST API's errors: ``{"message": …, "error": {"code": …, "fields": […]}}``."""
    body: dict[str, Any] = {"code": error.code}
    if isinstance(error, InvalidRequest):
        body["fields"] = [{**vars(field), "value": plain(field.value)} for field in error.fields]
    if isinstance(error, ChoicesChanged):
        body["current"] = error.current
    return {"message": error.message, "error": body}


def plain(value: Any) -> Any:
    """JSON has no NaN and no infinity, so a wrong value is repeated as a word."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def shorten(value: Any, limit: int = 60) -> Any:
    """``value`` as it may be repeated in an error: long texts are cut, odd characters escaped."""
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    try:
        text = value if isinstance(value, str) else repr(value)
    except RecursionError:  # JSON's reader may go deeper than repr
        text = "a value that is nested very deeply"
    text = text[: limit + 1].encode("unicode_escape").decode("ascii")
    return text if len(text) <= limit else text[:limit] + "…"
