"""Records of one moment, in memory: for who reads many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from ..model.session import Model
from .base import Damaged, M, Part, Store

Reader = Callable[[str, str, str, bytes, type[Any]], Any]


class Kept:
    """One record, with what has been made of its parts: they are made once, however often they are
    looked at while they stay the same. Nobody may change them.

    ``before``: the same record as it was before it changed; of most a change is a change of one part.
    """

    def __init__(
        self,
        user: str,
        session_id: str,
        fields: Mapping[bytes, bytes],
        before: Kept | None = None,
    ):
        self.user = user
        self.session_id = session_id
        self.version = fields.get(b"@", b"")
        self.fields = {
            name.decode(): data
            for name, data in fields.items()
            if not name.startswith((b"secret:", b"@")) and name != b"user"
        }
        self.parts = [name for name in self.fields if not name.endswith("@")]
        self._made: dict[tuple[str, type[Any]], Any] = before._of(self.fields) if before else {}
        #: What somebody else has made of it.
        self.beside: dict[str, Any] = {}

    def _of(self, fields: Mapping[str, bytes]) -> dict[tuple[str, type[Any]], Any]:
        """What has been made of those parts that are the same there."""
        return {
            (part, model): made
            for (part, model), made in self._made.copy().items()  # others look at it meanwhile
            if fields.get(part) == self.fields.get(part)
        }

    def look(self, part: str, model: type[Any], read: Reader) -> Any:
        made = self._made.get((part, model))
        if made is None and (data := self.fields.get(part)) is not None:
            made = self._made[part, model] = read(self.user, self.session_id, part, data, model)
        return made


class RecordsThen(Store):
    """Records as they were when they were read. What a reader of sessions would write is kept in
    ``changes``, None for what it drops: whoever has them read writes it where it belongs."""

    def __init__(self, records: dict[tuple[str, str], Kept], read: Reader):
        self._records = records
        self._read = read
        self.changes: list[tuple[str, str, Part, Model | None]] = []
        self._ids: dict[str, list[str]] = {}
        for user, session_id in records:
            self._ids.setdefault(user, []).append(session_id)

    def look(self, user: str, session_id: str, part: Part, model: type[M]) -> M | Damaged | None:
        kept = self._records.get((user, session_id))
        found: M | Damaged | None = kept.look(part, model, self._read) if kept else None
        return found

    def ids(self, user: str) -> list[str]:
        return list(self._ids.get(user, ()))

    def users(self) -> list[str]:
        return list(self._ids)

    def beside(self, user: str, session_id: str) -> dict[str, Any]:
        """A place for what is made of a record: what is put there goes when the record changes."""
        kept = self._records.get((user, session_id))
        return kept.beside if kept else {}

    def parts(self, user: str, session_id: str) -> list[str]:
        kept = self._records.get((user, session_id))
        return kept.parts if kept else []

    def written_at(self, user: str, session_id: str, part: Part) -> datetime | None:
        kept = self._records.get((user, session_id))
        moment = kept.fields.get(f"{part}@") if kept else None
        if moment is None:
            return None
        seconds = int(moment.decode().rstrip("+")) // 1_000_000
        return datetime.fromtimestamp(seconds, timezone.utc)

    def put(self, user: str, session_id: str, part: Part, data: Model) -> None:
        self.changes.append((user, session_id, part, data))

    def put_once(self, user: str, session_id: str, part: Part, data: Model) -> bool:
        self.changes.append((user, session_id, part, data))
        return True

    def mend(self, user: str, session_id: str, part: Part, data: Model) -> None:
        self.changes.append((user, session_id, part, data))

    def drop(self, user: str, session_id: str, part: Part) -> None:
        self.changes.append((user, session_id, part, None))
