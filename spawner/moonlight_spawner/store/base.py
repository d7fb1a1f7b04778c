"""What a store of session records has to do for who looks at sessions."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from ..model.session import Model

log = logging.getLogger(__name__)

Part = Literal["facts", "name", "job", "stop", "end", "seen", "missed", "status", "spec"]
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Damaged:
    """A part that is there and cannot be read: where, and why in a few words."""

    where: str
    why: str


class Store(ABC):
    """Records of sessions, in parts (:mod:`moonlight_spawner.model.records`); what a look finds out is
    written there as well.

    Methods are short and synchronous: a record is a few hundred bytes.
    """

    @abstractmethod
    def put(self, user: str, session_id: str, part: Part, data: Model) -> None:
        """Write a part, replacing what was there."""

    @abstractmethod
    def put_once(self, user: str, session_id: str, part: Part, data: Model) -> bool:
        """Write a part unless it is there; True if this call wrote it."""

    @abstractmethod
    def look(self, user: str, session_id: str, part: Part, model: type[M]) -> M | Damaged | None:
        """A part, None if there is none, or what is wrong with it."""

    def get(self, user: str, session_id: str, part: Part, model: type[M]) -> M | None:
        """A part, or None if there is none that can be read."""
        found = self.look(user, session_id, part, model)
        if isinstance(found, Damaged):
            log.error("%s cannot be read and is passed over: %s", found.where, found.why)
            return None
        return found

    @abstractmethod
    def mend(self, user: str, session_id: str, part: Part, data: Model) -> None:
        """Write a part in the place of a damaged one, which is put aside."""

    @abstractmethod
    def drop(self, user: str, session_id: str, part: Part) -> None:
        """Forget a part."""

    @abstractmethod
    def parts(self, user: str, session_id: str) -> Collection[str]:
        """Which parts there are, also such as cannot be read."""

    @abstractmethod
    def written_at(self, user: str, session_id: str, part: Part) -> datetime | None:
        """When a part was last written, None if there is none."""

    @abstractmethod
    def ids(self, user: str) -> list[str]:
        """Ids of the user's sessions."""
