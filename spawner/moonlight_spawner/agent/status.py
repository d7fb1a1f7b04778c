"""What the agent tells the world: ``status.json`` in the session's directory, written atomically."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

from ..model.files import read_shared, write_private
from ..model.records import AgentStatus
from ..model.said import said_by
from ..model.sentences import Said
from ..model.session import End, Step, StepState, now

log = logging.getLogger(__name__)

_MOST_NOTES = 64  # the newest; who reads them takes some more

STEPS = {
    "claim": "Claim a display and ports",
    "xserver": "Start the X server",
    "desktop": "Start the desktop",
    "host": "Start the stream",
    "picture": "Wait for the first picture",
    "gateway": "Open the gateway",
}


class StatusFile:
    """The agent's status, written at every change. Only the agent (then its guardian) writes it."""

    def __init__(self, path: Path, status: AgentStatus):
        self.path = path
        self.status = status
        self.tell: Callable[[AgentStatus], None] | None = None  # who else hears of it

    @classmethod
    def new(cls, directory: Path) -> StatusFile:
        node = os.environ.get("SLURMD_NODENAME") or os.uname().nodename
        steps = [Step(id=i, label=label) for i, label in STEPS.items()]
        return cls(directory / "status.json", AgentStatus(node=node, steps=steps))

    @classmethod
    def load(cls, directory: Path) -> StatusFile:
        data = read_shared(directory / "status.json")
        if data is None:
            return cls.new(directory)
        return cls(directory / "status.json", AgentStatus.model_validate_json(data))

    def write(self) -> None:
        """Write it. A full or absent disk must not end the desktop: it is logged and tried again
        at the next change."""
        self.status.beat = now()
        self.status.sequence += 1
        try:
            write_private(self.path, self.status.model_dump_json())
        except OSError as e:
            log.error("cannot write %s: %s", self.path, e)
        if self.tell:
            self.tell(self.status)

    def step(self, step_id: str, state: StepState, detail: str = "") -> None:
        """A step began, is done or failed; with a detail that is a name, or :class:`Said`."""
        step = next(s for s in self.status.steps if s.id == step_id)
        step.state = state
        if detail:
            self.detail(step_id, detail)
        if state is StepState.RUNNING:
            step.started_at = now()
        else:
            step.ended_at = now()
        log.info("%s: %s %s", step_id, state.value, detail)
        self.write()

    def detail(self, step_id: str, detail: str) -> None:
        """What a step that is done has come to since; written with what comes next."""
        step, said = next(s for s in self.status.steps if s.id == step_id), Said.of(detail)
        step.detail, step.detail_code, step.detail_params = str(said), said.code, said.params

    def note(self, text: str, instead_of: str = "") -> None:
        """A remark for the user that stays with the session, in place of one that is old."""
        self.status.notes = [note for note in self.status.notes if note != instead_of]
        if text not in self.status.notes:
            self.status.notes = [*self.status.notes[1 - _MOST_NOTES :], Said.of(text)]
            log.info("note: %s", text)
            self.write()

    def end(self, end: End) -> None:
        """The last word; a second one is not heard."""
        if self.status.end is None:
            for step in self.status.steps:
                if step.state is StepState.RUNNING:
                    step.state, step.ended_at = StepState.FAILED, now()
            self.status.end = end
            self.status.phase = "ended"
            log.info("ended: %s: %s", end.state.value, end.reason)
            self.write()


def failure(error: Exception) -> Said:
    """What kept a step from its end: its own sentence, by the code that the end has too."""
    code = "StartFailed" if isinstance(error, OSError) else type(error).__name__
    return Said(str(error) or said_by(error), code)


def could_not_start(error: Exception) -> str:
    """A refusal of the node's system, or that it took too long, as a sentence for the user."""
    return (
        f"The session could not be started on node {os.uname().nodename}: {with_file(error)}. "
        "If it happens again, tell an administrator."
    )


def with_file(error: BaseException) -> str:
    """What an exception says, and of which file."""
    name = error.filename if isinstance(error, OSError) else None
    return f"{said_by(error)} ({name})" if name else said_by(error)
