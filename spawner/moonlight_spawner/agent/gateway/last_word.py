"""What a session says to the pages that show it when it ends, while its port is still open.

Behind a portal's node proxy nobody is left to say it afterwards: the port is gone, and the picture
stands still. A page listens by a WebSocket, of which a browser may have many more than requests.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import struct

from ...relay import gate, pages
from ...relay import headers as h
from ...relay.incoming import Incoming, Request

PATH = "/end"

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_TEXT, _CLOSE, _PING = 0x81, 0x88, 0x89
# Proxies end what is silent for a minute.
_BEAT_SECONDS = 25.0
_HEARD_SECONDS = 0.5


class LastWord:
    """Said once; who listens later is told at once."""

    def __init__(self) -> None:
        self._said = asyncio.Event()
        self._reason = ""
        self._listening: set[asyncio.Future[None]] = set()

    async def say(self, reason: str) -> None:
        """Tell how the session ended, and wait until it is sent."""
        self._reason = reason
        self._said.set()
        if self._listening:
            await asyncio.wait(self._listening, timeout=_HEARD_SECONDS)

    async def tell(self, incoming: Incoming, request: Request) -> None:
        """Agree to a page's WebSocket and send it the page that takes its place at the end."""
        key = h.get(request.headers, b"sec-websocket-key") + _GUID
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
        agreed = h.websocket_response([(b"sec-websocket-accept", accept)])
        transport, _ = await incoming.switch(gate.for_browser(request.headers, agreed))
        told = asyncio.get_running_loop().create_future()
        self._listening.add(told)
        try:
            while not transport.is_closing():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._said.wait(), _BEAT_SECONDS)
                    language = h.get(request.headers, b"accept-language")
                    transport.write(_frame(_TEXT, pages.html("ended", language, self._reason)))
                    transport.write(_frame(_CLOSE))
                    return
                transport.write(_frame(_PING))
        finally:
            self._listening.discard(told)
            told.set_result(None)
            transport.close()


def _frame(kind: int, data: bytes = b"") -> bytes:
    """RFC 6455, 5.2: a server's frames are not masked. ``data`` has at most 64 KiB."""
    if len(data) < 126:
        return bytes([kind, len(data)]) + data
    return struct.pack("!BBH", kind, 126, len(data)) + data
