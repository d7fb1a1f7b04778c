"""The few WebSockets that are answered here (RFC 6455); what streams is passed on unread."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct

from . import gate
from . import headers as h
from .incoming import Incoming, Request

#: A page asks for one that carries nothing: whether WebSockets get through to it.
CHECK = "/websocket-check"
TEXT, CLOSE, PING = 0x81, 0x88, 0x89
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # 1.3


async def agree(incoming: Incoming, request: Request) -> asyncio.Transport:
    """Agree to a page's WebSocket; the connection is the caller's."""
    key = h.get(request.headers, b"sec-websocket-key") + _GUID
    accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
    agreed = h.websocket_response([(b"sec-websocket-accept", accept)])
    transport, _ = await incoming.switch(gate.for_browser(request.headers, agreed))
    return transport


async def check(incoming: Incoming, request: Request) -> None:
    """It opens, and that is all."""
    transport = await agree(incoming, request)
    transport.write(frame(CLOSE))
    transport.close()


def frame(kind: int, data: bytes = b"") -> bytes:
    """5.2: a server's frames are not masked."""
    size = len(data)
    if size < 126:
        return bytes([kind, size]) + data
    if size < 1 << 16:
        return struct.pack("!BBH", kind, 126, size) + data
    return struct.pack("!BBQ", kind, 127, size) + data
