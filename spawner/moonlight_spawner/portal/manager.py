"""The manager of many users' sessions over records that all services share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

from ..model.errors import MoonlightError, NotFound, StoreUnavailable
from ..model.records import AgentStatus, SessionRecord
from ..model.session import Session, newest_first
from ..sessions.control import status_of
from ..sessions.reach import Reach
from ..site.options import MoonlightSite
from ..store.redis import RedisStore
from .answers import check_id, own_record, own_status
from .callback import Callbacks
from .freshness import OTHER_DOORS_SECONDS, SOON_SECONDS
from .jobs import everybodys
from .records import redis_store
from .rounds import LOCK_SECONDS, keep_rounds
from .user_side import UserSideManager
from .view import Look, View

log = logging.getLogger(__name__)

# A side that did not answer is asked again after this, and after longer each time.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 5.0, 300.0
# A stop that the batch system did not take is said again by the user's side.
_STOP_AGAIN_SECONDS = 20.0
# One look at everybody's sessions serves all who ask for it.
_SHARED_SECONDS = 1.0


class PortalManager(UserSideManager):
    """As :class:`.user_side.UserSideManager`, which does what is to be done as a user; what is to be
    seen is read from the store, and a session's gateway or a user's own side is asked only when that is
    old (:mod:`.freshness`), in the background where there is something to show meanwhile.

    Besides the errors of that one:

    StoreUnavailable
        Redis is away: nothing was done.
    """

    def __init__(self, site: MoonlightSite, store: RedisStore, callbacks: Callbacks | None = None):
        super().__init__(site, callbacks)
        #: Called with a user when something else than a look has changed what is shown of his.
        self.changed: Callable[[str], None] = lambda user: None
        self._store = store
        self._view = View(site, store, everybodys(site, self.scheduler))
        self._asked: dict[str, float] = {}  # when, of the monotonic clock
        self._pauses: dict[str, float] = {}
        self._stopped: dict[str, float] = {}
        self._unheard: dict[str, float] = {}  # until when no gateway of theirs is asked
        self._everybodys: tuple[float, list[Session]] = float("-inf"), []
        self._distrusted: set[tuple[str, str]] = set()

    async def sessions(self, user: str) -> list[Session]:
        return await self._together((user,), self._sessions(user))

    async def get(self, user: str, session_id: str) -> Session:
        check_id(user, session_id)
        look, age = await asyncio.gather(self._view.look(user, session_id), self._view.age(user))
        if not look.sessions and age > SOON_SECONDS:
            await self.adopt(user)
            look = await self._view.look(user, session_id)
        else:
            self._follow(user, look, age)
        if not look.sessions:
            raise NotFound(f"There is no session {session_id} of {user}.")
        return look.sessions[0]

    async def known_sessions(self) -> list[Session]:
        """Everybody's sessions as they are known here, newest first, without asking anybody's side.

        Raises
        ------
        StoreUnavailable
        """
        return await self._together((), self._known_sessions())

    async def all_sessions(self) -> list[Session]:
        """The same; and in the background the sides are asked of those who have a session of which only
        they can tell how it goes on. Nobody looks: all others have time."""
        looks = await self._view.everybodys()
        for user, look in looks.items():
            if look.serves <= SOON_SECONDS or look.to_stop:
                self._follow(user, look, await self._view.age(user))
        return [session for look in looks.values() for session in look.sessions]

    async def unrecorded(self) -> Mapping[str, Collection[str]]:
        """Names of jobs that are those of sessions and not on record, by their jobs' users."""
        return await self._view.unrecorded()

    async def renew(self) -> None:
        """Seal anew what is sealed with an older key than the first of portal_key_file."""
        if done := await asyncio.to_thread(self._store.seal_anew):
            log.info("%d secrets in Redis were of an older key, and are of the first one now", done)

    async def keep_rounds(self) -> None:
        """Do what is to be done for all users whenever no other service does, until cancelled."""
        await keep_rounds(self.site, self, self._store.lock("rounds", LOCK_SECONDS))

    async def adopt(self, user: str) -> None:
        """Put the user's own records in the place of what is known here."""
        await self._together(("adopt", user), self._adopt(user))

    async def heard(self, user: str, session_id: str, status: AgentStatus) -> None:
        """The session's agent says how it is; ``status`` has been through :func:`.answers.own_status`.

        Raises
        ------
        NotFound, StoreUnavailable
        """
        check_id(user, session_id)
        if await self._view.heard(user, session_id, status):
            self._tell_changed(user)
        elif session_id not in await self._view.known(user):
            self._adopt_soon(user)
            raise NotFound(f"There is no session {session_id} of {user} on record yet.")

    async def reap(self, user: str) -> list[str]:
        return await self._without(user, await super().reap(user))

    async def forget(self, user: str, session_id: str | None = None) -> list[str]:
        forgotten = await super().forget(user, session_id)
        if adopting := self._under_way.get(("adopt", user)):
            await asyncio.wait({adopting})  # it may have been answered before the change
        return await self._without(user, forgotten)

    async def _without(self, user: str, forgotten: list[str]) -> list[str]:
        await self._view.forget(user, forgotten)
        self._changed(user)
        return forgotten

    def forget_reach(self, user: str, session_id: str) -> None:
        super().forget_reach(user, session_id)
        self._distrusted.add((user, session_id))  # its user's side may know better

    async def close(self) -> None:
        await super().close()
        await self._view.close()
        await asyncio.to_thread(self._store.close)

    async def _sessions(self, user: str) -> list[Session]:
        look, age = await asyncio.gather(self._view.look(user), self._view.age(user))
        if not look.sessions and age > OTHER_DOORS_SECONDS:
            await self.adopt(user)
            look = await self._view.look(user)
        else:
            self._follow(user, look, age)
        return look.sessions

    async def _known_sessions(self) -> list[Session]:
        at, sessions = self._everybodys
        if time.monotonic() - at > _SHARED_SECONDS:
            at = time.monotonic()
            looks = await self._view.everybodys()
            sessions = newest_first(s for look in looks.values() for s in look.sessions)
            self._everybodys = at, sessions
        return list(sessions)

    async def _reach(self, user: str, session_id: str) -> Reach:
        if (user, session_id) not in self._distrusted:
            try:
                if reach := await self._view.reach(user, session_id):
                    if reach.target:
                        self._remember(user, session_id, reach)
                    return reach
            except StoreUnavailable as e:
                log.info("%s is asked for at its user's side: %s", session_id, e)
        self._distrusted.discard((user, session_id))
        return await super()._reach(user, session_id)

    async def _learned(self, user: str, session_id: str, record: SessionRecord | None) -> None:
        if record is None or record.facts.session_id != session_id:
            return
        try:
            await self._view.keep(user, own_record(user, record, self.site.batch_system == "local"))
        except MoonlightError as e:  # what was asked for is done all the same, and is adopted later
            log.warning("%s is not on record yet: %s", session_id, e)

    def _follow(self, user: str, look: Look, age: float) -> None:
        """Have done at the user's side what a look has found, behind it."""
        clock = time.monotonic()
        if age > look.serves_else or (age > look.serves and clock < self._unheard.get(user, 0.0)):
            self._adopt_soon(user)
        elif age > look.serves:
            self._behind(user, self._together(("nodes", user), self._ask_nodes(user, look.silent)))
        for session_id in look.to_stop:
            if clock - self._stopped.get(session_id, float("-inf")) > _STOP_AGAIN_SECONDS:
                self._stopped = {
                    i: at for i, at in self._stopped.items() if clock - at <= _STOP_AGAIN_SECONDS
                }
                self._stopped[session_id] = clock
                self._behind(user, self.stop(user, session_id))

    async def _ask_nodes(self, user: str, silent: Collection[str]) -> None:
        """What the gateways say of sessions whose agents have told the portal nothing lately."""
        for session_id in silent:
            reach = await self._view.reach(user, session_id)
            status = None
            if reach and reach.target:
                status = await status_of(reach.target, self.reading(user))
            if status is None:
                self._unheard[user] = time.monotonic() + OTHER_DOORS_SECONDS
                self._adopt_soon(user)
                return
            own_status(status, self.site.batch_system == "local")
            await self.heard(user, session_id, status)

    def _adopt_soon(self, user: str) -> None:
        clock, pause = time.monotonic(), self._pauses.get(user, SOON_SECONDS)
        if clock - self._asked.get(user, float("-inf")) > pause:
            self._behind(user, self.adopt(user))

    async def _adopt(self, user: str) -> None:
        self._asked[user] = time.monotonic()
        before = await self._view.known(user)
        try:
            records = await self.records(user)
        except MoonlightError:
            pause = self._pauses.get(user, 0.0) * 2
            self._pauses[user] = min(_LONGEST_PAUSE_SECONDS, pause or _FIRST_PAUSE_SECONDS)
            raise
        self._pauses.pop(user, None)
        if await self._view.adopt(user, before, records):
            self._tell_changed(user)

    def _changed(self, user: str) -> None:
        super()._changed(user)
        self._everybodys = float("-inf"), []

    def _tell_changed(self, user: str) -> None:
        self._changed(user)
        self.changed(user)

    def _behind(self, user: str, work: Coroutine[Any, Any, Any]) -> None:
        async def go_on() -> None:
            try:
                await work
            except MoonlightError as e:
                log.info("%s's side: %s", user, e)

        task = asyncio.ensure_future(go_on())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def portal_manager(site: MoonlightSite, callbacks: Callbacks | None = None) -> UserSideManager:
    """With what is seen from the site's Redis, or asked for at each look where there is none.

    Raises
    ------
    ValueError
        A file that the settings name cannot be used.
    """
    if not site.portal_redis_url:
        return UserSideManager(site, callbacks)
    return PortalManager(site, redis_store(site), callbacks)


__all__ = ["PortalManager", "portal_manager"]
