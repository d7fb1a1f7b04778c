"""Records in Redis, where several services find the same ones: each change is one step there.

What lies where is said in ``record.lua``, which is all that ever runs there. No key outside of the
prefix is named, and none is looked for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..model.errors import LimitReached, NotFound
from ..model.measured import measured
from ..model.session import SESSION_ID, Model
from .base import Damaged, M, Part
from .lock import RedisLock
from .redis_client import Asking, RedisPlace
from .sealing import Sealing
from .snapshot import Kept, RecordsThen

log = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("record.lua").read_text("utf-8")
# As many records are asked for at once as one answer may be long.
_AT_ONCE = 500
#: Where a session's token is sent: nobody but a service with the key reads or makes it.
SEALED = ("status",)
_HIDDEN = "secret:"  # what nobody but the services may read


class RedisStore:
    """Records of all users of a portal, as their own sides and their agents tell them; they are read as
    they are in a moment (:class:`.snapshot.RecordsThen`).

    Parameters
    ----------
    keys: the service's, which encrypt what is secret; the first for what is new.
    keep_seconds: how long a session that has ended is kept.

    Every method raises :class:`StoreUnavailable` while Redis is away, slow or full,
    :class:`NotFound` for a change to a session that is somebody else's, and :class:`LimitReached` for
    one more session than a user's own side has in an answer.
    """

    def __init__(self, place: RedisPlace, prefix: str, keys: Sequence[bytes], keep_seconds: float):
        self._asking = Asking(place)
        self._prefix = prefix
        self._sealing = Sealing(keys)
        self._keep = max(1, round(keep_seconds))
        self._script: Any = None
        self._kept: dict[tuple[str, str], Kept] = {}
        self._guard = threading.Lock()

    def close(self) -> None:
        self._asking.close()

    def lock(self, name: str, seconds: float) -> RedisLock:
        """A lock among all services, which is free again so long after its holder was last heard of."""
        return RedisLock(self._asking, self._prefix + name, seconds)

    def put_newer(
        self, user: str, session_id: str, part: Part, data: Model, rank: str = ""
    ) -> bool:
        """Write a part of a session that is on record, unless one that ranks as high is there already;
        whether it was written. Ranks are compared as text; what none of our keys opens has none."""
        packed = self._packed(user, session_id, part, data)
        if self._step("newer", user, session_id, part, packed, rank):
            return True
        there = self._raw(user, session_id, part) if part in SEALED else None
        if there is None or self._sealing.open(there, user, session_id, part) is not None:
            return False
        return bool(self._step("newer", user, session_id, part, packed, ""))

    def adopt(self, user: str, session_id: str, parts: Mapping[Part, Model | None]) -> bool:
        """Put these in the place of what is there, None for what there is not; whether that changed
        anything. The first that is told of a session has its ``facts``."""
        given: list[str | bytes] = []
        for part, data in parts.items():
            given += [part, b"" if data is None else self._packed(user, session_id, part, data)]
        return bool(self._step("adopt", user, session_id, *given))

    def ids(self, user: str) -> list[str]:
        return [name.decode() for name in self._step("ids", user, "")]

    def remove(self, user: str, session_id: str) -> None:
        self._step("remove", user, session_id)

    def put_secret(self, user: str, session_id: str, name: str, value: bytes) -> bool:
        """Keep what nobody may read in Redis, until the session has ended; False if it has, or is not on
        record."""
        sealed = self._sealing.seal(value, user, session_id, name)
        return bool(self._step("secret", user, session_id, name, sealed))

    def secret(self, user: str, session_id: str, name: str) -> bytes | None:
        """None if there is none that this service's key has sealed for this session."""
        sealed = self._raw(user, session_id, _HIDDEN + name)
        if sealed is None:
            return None
        value = self._sealing.open(sealed, user, session_id, name)
        if value is None:
            where = self._where(session_id, _HIDDEN + name)
            log.error("%s is of another key than portal_key_file's, or of another session", where)
        return value

    def seal_anew(self) -> int:
        """Seal with the first key what an older one has sealed; how much that was."""
        if not self._sealing.several:
            return 0
        done = 0
        for user, session_id, fields in self._hashes(list(self._versions())):
            for field, sealed in fields.items():
                name = field.decode()
                if name not in SEALED and not name.startswith(_HIDDEN):
                    continue
                place = user, session_id, name.removeprefix(_HIDDEN)
                if anew := self._sealing.renewed(sealed, *place):
                    done += self._step("reseal", user, session_id, name, anew, sealed)
        return done

    def live(self) -> list[tuple[str, str]]:
        """User and id of each session that has not ended."""
        found = [name.decode() for name in self._step("live", "", "")]
        return list(zip(found[::2], found[1::2], strict=True))

    def touch_adopted(self, user: str) -> None:
        """This user's own records have been put beside ours, now."""
        with self._asking.for_(f"when the records of {user} were asked for") as client:
            seconds, _ = client.time()
            client.hset(self._prefix + "adopted", user, str(seconds))

    def adopted_at(self, user: str) -> datetime | None:
        """When that was, by Redis's clock; None: never, or Redis has been emptied since."""
        with self._asking.for_(f"when the records of {user} were asked for") as client:
            found: Any = client.hget(self._prefix + "adopted", user)
        return datetime.fromtimestamp(int(found), timezone.utc) if found else None

    def snapshot(self, user: str) -> RecordsThen:
        """All records of a user as they are in this moment, to be read only."""
        return self._snapshot(user)

    def snapshot_all(self) -> RecordsThen:
        """All records of all users as they are in this moment, to be read only."""
        return self._snapshot("")

    def _snapshot(self, user: str) -> RecordsThen:
        """What has not changed since it was last read is not asked for again."""
        now = self._versions(user)
        with self._guard:
            kept = {key: one for key in now if (one := self._kept.get(key))}
        known = {key: one for key, one in kept.items() if one.version == now[key]}
        fresh = self._fetched([key for key in now if key not in known], kept)
        known |= {(one.user, one.session_id): one for one in fresh}
        with self._guard:
            if user:
                gone = [key for key in self._kept if key[0] == user and key not in now]
                for key in gone:
                    del self._kept[key]
                self._kept |= known
            else:
                self._kept = dict(known)
        return RecordsThen(known, self._read)

    def _versions(self, user: str = "") -> dict[tuple[str, str], bytes]:
        """When each session on record changed last; an empty ``user`` for everybody's."""
        found, versions = self._step("versions", user, ""), {}
        for owner, told in zip(found[::2], found[1::2], strict=True):
            name, words = owner.decode(), told.split()
            for session_id, version in zip(words[::2], words[1::2], strict=False):
                versions[name, session_id.decode()] = version
        return versions

    def _fetched(
        self, wanted: Sequence[tuple[str, str]], before: Mapping[tuple[str, str], Kept]
    ) -> list[Kept]:
        hashes = self._hashes(wanted)
        return [Kept(user, name, data, before.get((user, name))) for user, name, data in hashes]

    def _hashes(
        self, wanted: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[str, str, dict[bytes, bytes]]]:
        """User, id and all fields of each of these sessions."""
        for begin in range(0, len(wanted), _AT_ONCE):
            some = wanted[begin : begin + _AT_ONCE]
            with self._asking.for_(f"{len(wanted)} sessions") as client:
                pipeline = client.pipeline(transaction=False)
                for _, session_id in some:
                    pipeline.hgetall(self._session(session_id))
                answers = pipeline.execute()
            for (user, session_id), fields in zip(some, answers, strict=True):
                if fields.get(b"user") == user.encode():  # else it has gone meanwhile
                    yield user, session_id, fields

    def _step(self, step: str, user: str, session_id: str, *more: str | bytes) -> Any:
        """
        Raises
        ------
        NotFound
            The session is of another user, or ``session_id`` is no id.
        LimitReached
            It would be one more than is kept of a user.
        StoreUnavailable
        """
        if session_id and not SESSION_ID.fullmatch(session_id):
            raise NotFound("There is no such session: an id looks like ml-user-abcdefghij.")
        given = [step, self._prefix, user, session_id, self._keep, *more]
        what = session_id or (f"the sessions of {user}" if user else "all sessions")
        with measured("redis", step), self._asking.for_(what) as c:
            self._script = self._script or c.register_script(_SCRIPT)
            answer = self._script(args=given, client=c)
        if answer == b"not yours":
            raise NotFound(f"There is no session {session_id} of {user}.")
        if answer == b"too many":
            raise LimitReached(f"{user} has too many sessions on record for one more.")
        return answer

    def _raw(self, user: str, session_id: str, name: str) -> bytes | None:
        if not SESSION_ID.fullmatch(session_id):
            return None
        with self._asking.for_(session_id) as client:
            found: Any = client.hmget(self._session(session_id), ["user", name])
        owner, data = found
        return data if owner == user.encode() else None

    def _packed(self, user: str, session_id: str, part: str, data: Model) -> bytes:
        packed = data.model_dump_json().encode()
        return self._sealing.seal(packed, user, session_id, part) if part in SEALED else packed

    def _read(
        self, user: str, session_id: str, part: str, data: bytes, model: type[M]
    ) -> M | Damaged:
        where = self._where(session_id, part)
        if part in SEALED:
            opened = self._sealing.open(data, user, session_id, part)
            if opened is None:
                return Damaged(where, "it is not of the key in portal_key_file")
            data = opened
        try:
            return model.model_validate_json(data)
        except ValidationError as e:
            wrong = e.errors(include_url=False, include_context=False, include_input=False)[0]
            at = ".".join(str(part) for part in wrong["loc"])
            return Damaged(where, f"{at}: {wrong['msg']}" if at else wrong["msg"])
        except ValueError as e:  # what a validator has not thought of
            return Damaged(where, str(e)[:200])

    def _session(self, session_id: str) -> str:
        return f"{self._prefix}session:{session_id}"

    def _where(self, session_id: str, part: str) -> str:
        return f"{part} of {self._session(session_id)} in Redis"


__all__ = ["SEALED", "RedisStore"]
