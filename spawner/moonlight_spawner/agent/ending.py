"""Why a session ends: what is on record already, or what a TERM means that nobody explained."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from pydantic import ValidationError

from ..model.files import read_shared
from ..model.records import AgentStatus, Spec, Stop, ended_outside
from ..model.session import End, State, Way, now
from .deadline import time_limit

log = logging.getLogger(__name__)


def end_on_record(directory: Path) -> End | None:
    """The end that a session has or is to have by its records, if there is one.

    A job may be started again by force (``scontrol requeue``), and a session that was taken for lost
    may turn out to live: what was told to the user is final.
    """
    if (data := _read(directory / "end.json")) is not None:
        try:
            return End.model_validate_json(data)
        except ValidationError:
            return End(
                state=State.CANCELLED,
                code="Ended",
                reason="An end of the session is on record, though it cannot be read.",
            )
    if (data := _read(directory / "stop.json")) is not None:
        try:
            return Stop.model_validate_json(data).end()
        except ValidationError:  # that it is there is the word itself
            return Stop().end()
    return None


def record_is_gone(directory: Path) -> bool:
    """Whether somebody has deleted the session's record. A home that is away is none: then the directory
    above it cannot be listed, or is not there either."""
    try:
        return directory.name not in os.listdir(directory.parent)
    except OSError:
        return False


def end_of_an_earlier_run(directory: Path) -> End | None:
    """What the session's agent has said last, if that was its last word."""
    try:
        data = _read(directory / "status.json")
        return AgentStatus.model_validate_json(data).end if data else None
    except ValidationError:
        return None


def why_told(directory: Path, status: AgentStatus, code: str = "") -> End:
    """Why the session was told to end by a signal."""
    if end := status.ending or end_on_record(directory):
        return end
    spec = _spec(directory)
    if status.ends_at and now() >= status.ends_at:
        return time_limit(spec.request.hours if spec else 0.0)
    if spec and spec.way is Way.GUEST:
        return End(
            state=State.CANCELLED,
            code="EndedThere",
            reason="The job that the desktop ran in ended, or the desktop was ended on its node.",
        )
    outside = ended_outside(spec.scheduler if spec else "")
    return End(state=State.CANCELLED, code=code or outside.code, reason=str(outside))


def _spec(directory: Path) -> Spec | None:
    try:
        data = _read(directory / "spec.json")
        return Spec.model_validate_json(data) if data else None
    except ValidationError:
        return None


def _read(path: Path) -> bytes | None:
    try:
        return read_shared(path)
    except OSError as e:  # ESTALE of NFS: at the next look it may be over
        log.error("cannot see whether the session is to end: %s", e)
        return None
