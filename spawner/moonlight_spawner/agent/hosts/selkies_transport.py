"""How selkies' picture comes: by a WebSocket, or by WebRTC.

selkies does one of them at a time, for all its clients (2.1.0, `stream_server.py`). It starts with the
WebSocket, by which the agent looks whether there is a picture. From then on it follows who comes: a page that
comes to negotiate WebRTC gets it, unless somebody has the picture by WebSocket; and a page that comes by
WebSocket gets that, because WebRTC did not reach it. Pages that had the other one then find it closed, and
load themselves anew with what is :attr:`Transport.proposed`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ...relay.upstream import Target, UpstreamError, call

log = logging.getLogger(__name__)

WEBSOCKETS, WEBRTC = "websockets", "webrtc"
WEBSOCKET_PATH = "/api/websockets"
SIGNALING_PATHS = ("/api/webrtc/signaling", "/api/webrtc/signaling/", "/api/ws")
SERVERS = "/api/turn"
SWITCH = "/api/switch"
_SWITCH_SECONDS = 30.0  # it gives a stream of before 15
_LOOK_SECONDS = 0.05
_CALL_SECONDS = 5.0
#: What it answers to a look, while the transport is on its way or has not become one.
_COMES, _IS_NOT = 503, 409


class Transport:
    """Of one selkies at ``target``."""

    def __init__(self, target: Callable[[], Target]):
        self._target = target
        self._lock = asyncio.Lock()
        self._now = WEBSOCKETS
        self._by_websocket = 0
        self._fails = False

    def begins(self) -> None:
        """selkies is started, maybe again."""
        self._now, self._fails = WEBSOCKETS, False

    @property
    def proposed(self) -> str:
        """What a page that comes now should try."""
        return WEBSOCKETS if self._by_websocket or self._fails else WEBRTC

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[None]:
        """Around a WebSocket of a page's, from before it is passed on until it ends.

        Raises
        ------
        UpstreamError
        """
        if path == WEBSOCKET_PATH:
            self._by_websocket += 1
            try:
                await self._switch(WEBSOCKETS)
                yield
            finally:
                self._by_websocket -= 1
        else:
            if path in SIGNALING_PATHS and self.proposed == WEBRTC:
                await self._begin_webrtc()
            yield

    async def _begin_webrtc(self) -> None:
        try:
            await self._switch(WEBRTC)
        except UpstreamError as e:
            log.warning("no WebRTC: %s", e)
            self._fails = True
            raise

    async def _switch(self, wanted: str) -> None:
        async with self._lock:
            if self._now == wanted:
                return
            body = json.dumps({"mode": wanted}).encode()
            self._now = ""  # whatever comes of it
            status, said = await call(self._target(), "POST", SWITCH, [], body, _SWITCH_SECONDS)
            if status != 200:
                raise UpstreamError(f"selkies does not switch to {wanted}: {said[:200]!r}")
            if wanted == WEBRTC:
                await self._until_it_takes_sessions()
            self._now = wanted

    async def _until_it_takes_sessions(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SWITCH_SECONDS
        while True:
            path = SIGNALING_PATHS[0]
            status, _ = await call(self._target(), "GET", path, [], seconds=_CALL_SECONDS)
            if status == 204:
                return
            if status != _COMES or loop.time() > deadline:
                raise UpstreamError(f"selkies cannot begin it (it answers {status}); see its log")
            await asyncio.sleep(_LOOK_SECONDS)
