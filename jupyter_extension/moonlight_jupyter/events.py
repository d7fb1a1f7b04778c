"""Server-sent events: one watcher for each user of the server, however many pages are open."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_server.auth.decorator import authorized
from moonlight_spawner.model.session import Session, State
from moonlight_spawner.sessions.manager import SessionManager
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from .base import MoonlightAPIHandler

log = logging.getLogger(__name__)

_BUSY_SECONDS, _CALM_SECONDS = 0.7, 3.0
# Between two looks, while a session starts or ends: whether its agent has said something.
_GLANCE_SECONDS = 0.1
_HEARTBEAT_SECONDS = 15.0
_QUEUE = 256


@dataclass
class Event:
    """What happened, for all who listen. ``text`` is what they are sent, made once."""

    kind: str
    data: Any = None
    text: str = ""


class Watcher:
    """Looks at the user's sessions while somebody listens and tells what changed."""

    def __init__(
        self,
        manager: SessionManager,
        user: str,
        busy: float = _BUSY_SECONDS,
        calm: float = _CALM_SECONDS,
    ):
        self._manager = manager
        self._user = user
        self._busy, self._calm = busy, calm
        self._listeners: set[asyncio.Queue[Event]] = set()
        self._known: dict[str, Session] = {}
        self._signs: dict[str, object] = {}  # as they were before the last look
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._coming = 0

    @property
    def heard(self) -> bool:
        """Whether somebody listens, or is about to."""
        return bool(self._listeners or self._coming)

    @property
    def known(self) -> list[Session]:
        return list(self._known.values())

    def look(self) -> None:
        """Look now: something was just started or stopped."""
        self._wake.set()

    async def listen(self) -> asyncio.Queue[Event]:
        """A queue of events; the first one has all sessions."""
        queue: asyncio.Queue[Event] = asyncio.Queue(_QUEUE)
        self._coming += 1
        try:
            sessions = await self._manager.sessions(self._user)
        finally:
            self._coming -= 1
        queue.put_nowait(Event("sessions", sessions))
        self._tell({s.session_id: s for s in sessions})  # whoever listens already knows less
        self._listeners.add(queue)
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._watch())
        return queue

    def forget(self, queue: asyncio.Queue[Event]) -> None:
        self._listeners.discard(queue)
        self._wake.set()

    async def close(self) -> None:
        for queue in self._listeners:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(Event("end"))
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while self._listeners:
            self._wake.clear()
            await self._pause()
            self._signs = self._signs_now()
            try:
                sessions = await self._manager.sessions(self._user)
            except Exception:
                log.exception("cannot look at the sessions")
                continue
            self._tell({s.session_id: s for s in sessions})

    async def _pause(self) -> None:
        """Until it is time to look again, or there is a reason to."""
        moving = bool(self._moving())
        clock = asyncio.get_running_loop().time
        until = clock() + (self._busy if moving else self._calm)
        while (left := until - clock()) > 0:
            glance = min(left, _GLANCE_SECONDS) if moving else left
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), glance)
                return
            # None of one that is new: what it has said already may have come behind the look.
            if any(self._signs.get(i) != sign for i, sign in self._signs_now().items()):
                return

    def _moving(self) -> list[str]:
        return [i for i, s in self._known.items() if s.live and s.status is not State.RUNNING]

    def _signs_now(self) -> dict[str, object]:
        return {i: self._manager.sign_of_agent(self._user, i) for i in self._moving()}

    def _tell(self, found: Mapping[str, Session]) -> None:
        events = [Event("session", s) for i, s in found.items() if self._known.get(i) != s]
        events += [Event("removed", i) for i in self._known if i not in found]
        self._known = dict(found)
        for queue in list(self._listeners):
            try:
                for event in events:
                    queue.put_nowait(event)
            except asyncio.QueueFull:  # a page that reads nothing; it will come again
                self._listeners.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(Event("end"))


class Watchers:
    """A watcher for each user who has listened. ``busy`` and ``calm``: seconds between two looks."""

    def __init__(
        self, manager: SessionManager, busy: float = _BUSY_SECONDS, calm: float = _CALM_SECONDS
    ):
        self._manager = manager
        self._pauses = busy, calm
        self._watchers: dict[str, Watcher] = {}

    def of(self, user: str) -> Watcher:
        if user not in self._watchers:
            self._watchers = {u: w for u, w in self._watchers.items() if w.heard}
            self._watchers[user] = Watcher(self._manager, user, *self._pauses)
        return self._watchers[user]

    def look(self, user: str) -> None:
        """Look at this user's sessions now, if somebody listens."""
        if watcher := self._watchers.get(user):
            watcher.look()

    def known(self) -> list[Session]:
        """The sessions of those who listen, as last seen."""
        return [session for w in self._watchers.values() for session in w.known]

    async def close(self) -> None:
        await asyncio.gather(*(watcher.close() for watcher in self._watchers.values()))


class EventsHandler(MoonlightAPIHandler):
    """``GET /api/moonlight/events``"""

    _queue: asyncio.Queue[Event] | None = None

    @authenticated
    @authorized
    async def get(self) -> None:
        watchers: Watchers = self.settings["moonlight_watchers"]
        watcher = watchers.of(self.user)
        until = getattr(self.current_user, "until", None)  # of a login that ends
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")  # nginx would collect the events
        self._queue = await watcher.listen()
        try:
            await self._send("retry: 2000\n\n")
            while until is None or time.time() < until:
                try:
                    event = await asyncio.wait_for(self._queue.get(), _pause(until))
                except asyncio.TimeoutError:
                    await self._send(": still here\n\n")
                    continue
                if event.kind == "end":
                    return
                event.text = event.text or self._data(event.kind, event.data)
                await self._send(f"event: {event.kind}\ndata: {event.text}\n\n")
                if self.owed_seconds:  # what comes meanwhile waits, or ends this
                    await asyncio.sleep(min(self.owed_seconds, _HEARTBEAT_SECONDS))
        except StreamClosedError:
            return
        finally:
            watcher.forget(self._queue)

    def on_connection_close(self) -> None:
        if self._queue is not None:
            with contextlib.suppress(asyncio.QueueFull):
                self._queue.put_nowait(Event("end"))

    def compute_etag(self) -> None:
        return None

    def _data(self, kind: str, data: Any) -> str:
        if kind == "sessions":
            return self.list_as_json(data)
        if kind == "removed":
            return json.dumps({"session_id": data})
        return self.as_json(data)

    async def _send(self, text: str) -> None:
        self.write(text)
        await self.flush()


def _pause(until: float | None) -> float:
    """Seconds to the next sign of life, or to the end of the login."""
    return _HEARTBEAT_SECONDS if until is None else min(_HEARTBEAT_SECONDS, until - time.time())


HANDLERS = [("/api/moonlight/events", EventsHandler)]
