"""A session whose record is damaged: what is left of it, so that it is seen and can be stopped.

A file that was edited, cut off by a full disk, or restored half, must not hide a desktop that runs.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar, get_args

from ..model.records import (
    AgentStatus,
    Facts,
    Job,
    Missed,
    Name,
    Seen,
    SessionRecord,
    Spec,
    Stop,
)
from ..model.sentences import Said
from ..model.session import End, Model, Resources, now
from ..store import Store
from ..store.base import Damaged, Part
from .ends import heard_of

M = TypeVar("M", bound=Model)

# Any of these is written after the facts: without them there was a session, and is no record of it.
_LATER = {"job", "status", "stop", "end"}
_NOBODY_KNOWS = Resources(
    image="", hours=0, cpus=0, memory_gb=0, gpus=0, resolution="0x0", fps=0, bitrate_kbps=0
)


class Record:
    """What can be read of one session's record; ``damaged`` has what cannot."""

    def __init__(self, store: Store, user: str, session_id: str, scheduler: str):
        self._store = store
        self._user, self._session_id = user, session_id
        self.damaged: dict[str, Damaged] = {}
        self.facts = self._facts(scheduler)

    def part(self, part: Part, model: type[M]) -> M | None:
        return self._kept(part, self._store.look(self._user, self._session_id, part, model))

    def agent(self) -> AgentStatus | None:
        """What the agent says. Words that cannot be read and are new tell at least that it lives."""
        agent = self.part("status", AgentStatus)
        if agent is None and "status" in self.damaged:
            spoke = self._written_at("status")
            if heard_of(silent := AgentStatus(started_at=spoke, beat=spoke), now()):
                return silent
        return agent

    def copy(self, facts: Facts, token: str | None) -> SessionRecord:
        """What can be read, for who keeps a copy of it; what cannot is told in the agent's notes."""
        record = SessionRecord(
            facts=facts,
            name=self.part("name", Name),
            job=self.part("job", Job),
            stop=self.part("stop", Stop),
            end=self.part("end", End),
            seen=self.part("seen", Seen),
            missed=self.part("missed", Missed),
            status=self.agent(),
        )
        if "stop" in self.damaged:  # that it is there is the word itself
            record.stop = Stop(requested_at=facts.created_at)
        if record.status:
            record.status.notes = [*record.status.notes, *self.notes()]
        record.token = None if record.end else token
        return record

    def notes(self) -> list[Said]:
        """A sentence for each damaged part."""
        return [
            Said.by(
                "DamagedRecord",
                "A part of the session's record cannot be read: {where} ({why}). What else is known "
                "of it is shown, and it can be stopped.",
                where=damaged.where,
                why=damaged.why,
            )
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
        where = f"the facts of {self._session_id}"
        if facts:
            why = f"it is that of session {facts.session_id[:80]}"
            self.damaged["facts"] = Damaged(where, why)
        elif "facts" not in self.damaged:
            if _LATER.isdisjoint(self._store.parts(self._user, self._session_id)):
                return None
            self.damaged["facts"] = Damaged(where, "it does not exist any more")
        return self._rebuilt(scheduler)

    def _rebuilt(self, scheduler: str) -> Facts:
        """Facts from what the agent was told, else from nothing but the session's id."""
        spec = self._store.look(self._user, self._session_id, "spec", Spec)
        spec = spec if isinstance(spec, Spec) and spec.session_id == self._session_id else None
        return Facts(
            session_id=self._session_id,
            user=self._user,
            image_id=spec.image_id if spec else "",
            image_name=spec.image_id if spec else "Unknown desktop",
            host=spec.host if spec else "auto",
            scheduler=spec.scheduler if spec else scheduler,
            request=spec.request if spec else _NOBODY_KNOWS,
            created_at=self._written_at("facts", "spec", *get_args(Part)),
        )

    def _written_at(self, *parts: Part) -> datetime:
        """When the first of these was written that there is."""
        found = (self._store.written_at(self._user, self._session_id, part) for part in parts)
        return next((moment for moment in found if moment), now())
