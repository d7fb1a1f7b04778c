"""What the session's own viewer is told and may do, where no portal is there to be asked: the session as
its agent alone knows it, its end, its clipboard."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..model.account import account
from ..model.files import read_shared, write_private_once
from ..model.limits import MIN_HEIGHT, MIN_WIDTH
from ..model.records import AgentStatus, Facts, Spec, Stop
from ..model.session import Session, State, job_named
from ..relay.one_session import DESKTOP, NOTHING, as_refused, refused

log = logging.getLogger(__name__)

_PHASES = {"running": State.RUNNING, "stopping": State.STOPPING}

Control = Callable[[str, str, Any], Awaitable[tuple[int, Any]]]


class OwnSession:
    """Answers what the page asks (:class:`..relay.one_session.OneSession`).

    Parameters
    ----------
    status
        The agent's own, as it is at each question.
    control
        What the session's node can be asked.
    guests
        How many of those whom the owner has invited look on now.
    """

    def __init__(
        self,
        directory: Path,
        spec: Spec,
        status: AgentStatus,
        control: Control,
        guests: Callable[[], int] = lambda: 0,
    ):
        self._directory = directory
        self._spec = spec
        self._status = status
        self._control = control
        self._guests = guests
        self._facts = _facts(directory, spec)
        self._stopped = False

    def session(self) -> Session:
        """As it is now, or has ended."""
        session = self._facts.session(job_named(os.environ) or None)
        status = self._status
        status.put_into(session)
        session.status = (
            State.STOPPING if self._stopped else _PHASES.get(status.phase, State.STARTING)
        )
        if end := status.end or status.ending:
            session.take(end)
        return session

    def as_json(self) -> dict[str, Any]:
        """With its address beside the page."""
        known = self.session().model_dump(mode="json")
        return {**known, "web_url": None, "stream_url": DESKTOP, "guests": self._guests()}

    async def ask(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        one = f"sessions/{self._spec.session_id}"
        if (method, path) == ("GET", "sessions"):
            return 200, {"sessions": [self.as_json()]}
        if (method, path) == ("GET", one):
            return 200, self.as_json()
        if (method, path) == ("DELETE", one):
            return self._stop()
        if (method, path) == ("GET", "site"):
            return 200, {"limits": self._sizes()}
        if path in (f"{one}/clipboard", f"{one}/keep"):
            status, answer = await self._control(method, path.removeprefix(one), body)
            return status, as_refused(status, answer)
        if path == f"{one}/sharing" or path.startswith(f"{one}/sharing/"):
            status, answer = await self._control(method, path.removeprefix(one), body)
            return status, as_refused(status, answer)
        return NOTHING

    def _stop(self) -> tuple[int, Any]:
        """On record, as from every door: the agent looks there."""
        try:
            write_private_once(self._directory / "stop.json", Stop().model_dump_json())
        except OSError as e:
            log.error("the stop cannot be put on record: %s", e)
            message = f"It cannot be put on record that you stop it: {e.strerror}. Try again."
            return 507, refused("records_unwritable", message)
        self._stopped = True
        return 202, self.as_json()

    def _sizes(self) -> dict[str, Any]:
        return {
            "width": {"min": MIN_WIDTH, "max": self._spec.max_width},
            "height": {"min": MIN_HEIGHT, "max": self._spec.max_height},
        }


def _facts(directory: Path, spec: Spec) -> Facts:
    """What was asked for; without its record, as far as the agent was told."""
    try:
        return Facts.model_validate_json(read_shared(directory / "facts.json") or b"")
    except (OSError, ValidationError) as e:
        log.warning("the session's facts cannot be read: %s", e)
        return Facts(
            session_id=spec.session_id,
            user=account().name,
            image_id=spec.image_id,
            image_name=spec.image_id,
            host=spec.host,
            scheduler=spec.scheduler,
            way=spec.way,
            request=spec.request,
        )
