"""A session whose record is damaged: what is left of it, so that it is seen and can be stopped.

A file that was edited, cut off by a full disk, or restored half, must not hide a desktop that runs.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TypeVar

from ..model.records import AgentStatus, Facts, Spec
from ..model.session import Model, Resources, from_epoch, now
from ..store import FileStore
from ..store.base import Damaged, Part
from ..store.files import read_record
from .ends import heard_of

M = TypeVar("M", bound=Model)

# Any of these is written after the facts: without them there was a session, and is no record of it.
_LATER = ("job.json", "status.json", "stop.json", "end.json")
_NOBODY_KNOWS = Resources(
    image="", hours=0, cpus=0, memory_gb=0, gpus=0, resolution="0x0", fps=0, bitrate_kbps=0
)


class Record:
    """What can be read of one session's record; ``damaged`` has what cannot."""

    def __init__(self, store: FileStore, user: str, session_id: str, scheduler: str):
        self._store = store
        self._user, self._session_id = user, session_id
        self.damaged: dict[str, Damaged] = {}
        self.facts = self._facts(scheduler)

    def part(self, part: Part, model: type[M]) -> M | None:
        return self._kept(part, self._store.look(self._user, self._session_id, part, model))

    def agent(self) -> AgentStatus | None:
        """What the agent says. Words that cannot be read and are new tell at least that it lives."""
        path = self._store.directory(self._session_id) / "status.json"
        agent = self._kept("status", read_record(path, AgentStatus))
        if agent is None and "status" in self.damaged:
            spoke = _written_at(path)
            if heard_of(silent := AgentStatus(started_at=spoke, beat=spoke), now()):
                return silent
        return agent

    def notes(self) -> list[str]:
        """A sentence for each damaged part."""
        return [
            f"A part of the session's record cannot be read: {damaged.path} ({damaged.why}). What else "
            "is known of it is shown, and it can be stopped."
            for damaged in self.damaged.values()
        ]

    def _kept(self, part: str, found: M | Damaged | None) -> M | None:
        if isinstance(found, Damaged):
            self.damaged[part] = found
            return None
        return found

    def _facts(self, scheduler: str) -> Facts | None:
        facts = self.part("facts", Facts)
        if facts and (facts.session_id, facts.user) == (self._session_id, self._user):
            return facts
        path = self._store.directory(self._session_id) / "facts.json"
        if facts:
            self.damaged["facts"] = Damaged(path, f"it is that of session {facts.session_id[:80]}")
        elif "facts" not in self.damaged:
            if not any((path.parent / name).exists() for name in _LATER):
                return None
            self.damaged["facts"] = Damaged(path, "it does not exist any more")
        return self._rebuilt(path, scheduler)

    def _rebuilt(self, path: Path, scheduler: str) -> Facts:
        """Facts from what the agent was told, else from nothing but the session's id."""
        spec = read_record(path.with_name("spec.json"), Spec)
        spec = spec if isinstance(spec, Spec) and spec.session_id == self._session_id else None
        return Facts(
            session_id=self._session_id,
            user=self._user,
            image_id=spec.image_id if spec else "",
            image_name=spec.image_id if spec else "Unknown desktop",
            host=spec.host if spec else "auto",
            scheduler=spec.scheduler if spec else scheduler,
            request=spec.request if spec else _NOBODY_KNOWS,
            created_at=_written_at(path),
        )


def _written_at(path: Path) -> datetime:
    for file in (path, path.with_name("spec.json"), path.parent):
        try:
            return from_epoch(file.lstat().st_mtime)
        except (OSError, OverflowError, ValueError):
            continue
    return now()
