"""The errors that reach a user. Each names what was asked, what was found and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class MoonlightError(Exception):
    """Base of all errors with a sentence for the user; ``code`` is a stable word for programs."""

    code = "internal_error"

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


class UnsafeDirectory(MoonlightError):
    """A directory that has to be the user's alone is not, or cannot be made."""

    code = "unsafe_directory"


def shorten(value: Any, limit: int = 60) -> Any:
    """``value`` as it may be repeated in an error: long texts are cut, odd characters escaped."""
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    text = value if isinstance(value, str) else repr(value)
    text = text[: limit + 1].encode("unicode_escape").decode("ascii")
    return text if len(text) <= limit else text[:limit] + "…"
