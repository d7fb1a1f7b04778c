"""Whether WebSockets get through to the portal: the page asks for one that carries nothing.

A browser does not tell a page why a WebSocket did not open, and the streaming host's client waits
before a black picture for ever. So the page opens one itself, below the stream's own path, where a
site's proxy has the same rules for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from moonlight_spawner.model.errors import NotFound
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, authenticated
from tornado.websocket import WebSocketProtocol13

from .stream import StreamHandler

_CLOSE = b"\x88\x00"  # RFC 6455, 5.5.1: a last frame of kind close without a reason
_SECONDS = 10.0


class WebSocketCheck(StreamHandler):
    """``…/desktop/websocket-check``: opens as the stream does, for the same people, and ends."""

    SUPPORTED_METHODS = ("GET",)

    async def prepare(self) -> None:
        await JupyterHandler.prepare(self)
        if self._finished:
            return
        await self._admit()
        try:
            await self.reach(self._session_id())
        except NotFound:
            self._page(404, "unknown")
            return
        if not self._is_stream():
            self._stripped()

    @authenticated
    async def get(self, *_: str) -> None:
        if self._finished:
            return
        key = self.request.headers.get("Sec-WebSocket-Key")
        if not key:
            raise HTTPError(400)
        accept = WebSocketProtocol13.compute_accept_value(key)
        stream = self.detach()
        with contextlib.suppress(StreamClosedError, asyncio.TimeoutError):
            await stream.write(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
            )
            # The page says that it is done as soon as it was opened.
            await asyncio.wait_for(stream.read_bytes(256, partial=True), _SECONDS)
            await stream.write(_CLOSE)
        stream.close()


HANDLERS: list[tuple[str, Any]] = [
    (r"/moonlight/sessions/([^/]+)/desktop/websocket-check", WebSocketCheck),
]
