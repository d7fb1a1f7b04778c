"""Records in Redis, where several services find the same ones: each change is one step there.

What lies where is said in ``record.lua``, which is all that ever runs there. No key outside of the
prefix is named, and none is looked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..model.errors import LimitReached, NotFound, StoreUnavailable
from ..model.measured import measured
from ..model.session import SESSION_ID, Model
from .base import Damaged, M, Part, Store
from .lock import RedisLock
from .redis_client import Asking, RedisPlace
from .sealing import Sealing
from .snapshot import Kept, RecordsThen

log = logging.getLogger(__name__)

_SCRIPT = Path(__file__).with_name("record.lua").read_text("utf-8")
# What began to be put on record and never became a session.
_HALF_SECONDS = 3600
# What a user does under his lock is short; whoever dies meanwhile keeps others waiting for so long.
_LOCK_SECONDS = 15.0
_PATIENCE_SECONDS = 60.0
# As many records are asked for at once as one answer may be long.
_AT_ONCE = 500
#: Parts in which the site's passwords may be, or where a session's token is sent: nobody but a service
#: with the key reads or makes them.
SEALED = ("spec", "status")


class RedisStore(Store):
    """Records of all users of a portal.

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

    def claim_key(self, user: str, request_key: str, session_id: str) -> str:
        found = self._step("claim", user, session_id, _digest(request_key))
        return str(found.decode())

    def release_key(self, user: str, request_key: str) -> None:
        self._step("release", user, "", _digest(request_key))

    @contextlib.asynccontextmanager
    async def exclusively(self, user: str) -> AsyncIterator[None]:
        lock = self.lock(f"lock:{user}", _LOCK_SECONDS)
        clock = asyncio.get_running_loop().time
        until = clock() + _PATIENCE_SECONDS
        while not await lock.taken():
            if clock() > until:
                raise StoreUnavailable(
                    f"Another request of {user}'s has been under way for {_PATIENCE_SECONDS:g} s, and "
                    "they are done one after the other. Try again in a moment."
                )
            await asyncio.sleep(0.05)
        renewing = asyncio.ensure_future(lock.keep())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.to_thread(lock.give)

    def lock(self, name: str, seconds: float) -> RedisLock:
        """A lock among all services, which is free again so long after its holder was last heard of."""
        return RedisLock(self._asking, self._prefix + name, seconds)

    def put(self, user: str, session_id: str, part: Part, data: Model) -> None:
        self._step("put", user, session_id, part, self._packed(user, session_id, part, data))

    def put_once(self, user: str, session_id: str, part: Part, data: Model) -> bool:
        packed = self._packed(user, session_id, part, data)
        return bool(self._step("put_once", user, session_id, part, packed))

    def look(self, user: str, session_id: str, part: Part, model: type[M]) -> M | Damaged | None:
        data = self._raw(user, session_id, part)
        return None if data is None else self._read(user, session_id, part, data, model)

    def put_newer(
        self, user: str, session_id: str, part: Part, data: Model, rank: str = ""
    ) -> bool:
        """Write a part of a session that is on record, unless one that ranks as high is there already;
        whether it was written. Ranks are compared as text."""
        packed = self._packed(user, session_id, part, data)
        return bool(self._step("newer", user, session_id, part, packed, rank))

    def adopt(self, user: str, session_id: str, parts: Mapping[Part, Model | None]) -> bool:
        """Put these in the place of what is there, None for what there is not; whether that changed
        anything."""
        given: list[str | bytes] = []
        for part, data in parts.items():
            given += [part, b"" if data is None else self._packed(user, session_id, part, data)]
        return bool(self._step("adopt", user, session_id, *given))

    def mend(self, user: str, session_id: str, part: Part, data: Model) -> None:
        """Unless somebody else has mended it meanwhile."""
        damaged = self._raw(user, session_id, part)
        if damaged is None:
            self.put_once(user, session_id, part, data)
        elif isinstance(self._read(user, session_id, part, damaged, type(data)), Damaged):
            packed = self._packed(user, session_id, part, data)
            log.warning(
                "%s is put in the place of %r", self._where(session_id, part), damaged[:200]
            )
            self._step("mend", user, session_id, part, packed, damaged)

    def drop(self, user: str, session_id: str, part: Part) -> None:
        self._step("drop", user, session_id, part)

    def ids(self, user: str) -> list[str]:
        return [name.decode() for name in self._step("ids", user, "")]

    def parts(self, user: str, session_id: str) -> list[str]:
        """The names of the parts that there are."""
        kept = self._fetched([(user, session_id)])
        return kept[0].parts if kept else []

    def written_at(self, user: str, session_id: str, part: Part) -> datetime | None:
        """When a part was last written, by Redis's clock."""
        moment = self._raw(user, session_id, f"{part}@")
        return None if moment is None else _time(moment)

    def remove(self, user: str, session_id: str) -> None:
        self._step("remove", user, session_id)

    def put_secret(self, user: str, session_id: str, name: str, value: bytes) -> bool:
        """Keep what nobody may read in Redis, until the session has ended; False if it has."""
        sealed = self._sealing.seal(value, user, session_id, name)
        return bool(self._step("secret", user, session_id, name, sealed))

    def secret(self, user: str, session_id: str, name: str) -> bytes | None:
        """None if there is none that this service's key has sealed for this session."""
        sealed = self._raw(user, session_id, f"secret:{name}")
        if sealed is None:
            return None
        value = self._sealing.open(sealed, user, session_id, name)
        if value is None:
            where = self._where(session_id, f"secret:{name}")
            log.error("%s is of another key than portal_key_file's, or of another session", where)
        return value

    def users(self) -> list[str]:
        """Users who have sessions on record."""
        return [name.decode() for name in self._step("users", "", "")]

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
        found = self._step("versions", user, "")
        now = {
            (found[i].decode(), found[i + 1].decode()): found[i + 2]
            for i in range(0, len(found), 3)
        }
        with self._guard:
            kept = {key: one for key in now if (one := self._kept.get(key))}
        known = {key: one for key, one in kept.items() if one.version == now[key]}
        fresh = self._fetched([key for key in now if key not in known])
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

    def _fetched(self, wanted: Sequence[tuple[str, str]]) -> list[Kept]:
        found: list[Kept] = []
        for begin in range(0, len(wanted), _AT_ONCE):
            some = wanted[begin : begin + _AT_ONCE]
            with self._asking.for_(f"{len(wanted)} sessions") as client:
                pipeline = client.pipeline(transaction=False)
                for _, session_id in some:
                    pipeline.hgetall(self._session(session_id))
                answers = pipeline.execute()
            for (user, session_id), fields in zip(some, answers, strict=True):
                if fields.get(b"user") == user.encode():  # else it has gone meanwhile
                    found.append(Kept(user, session_id, fields))
        return found

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
        given = [step, self._prefix, user, session_id, self._keep, _HALF_SECONDS, *more]
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


def _time(moment: bytes) -> datetime:
    """From microseconds, to the second as all times in records."""
    seconds = int(moment.decode().rstrip("+")) // 1_000_000
    return datetime.fromtimestamp(seconds, timezone.utc)


def _digest(request_key: str) -> str:
    return hashlib.sha256(request_key.encode()).hexdigest()


__all__ = ["SEALED", "RedisStore"]
