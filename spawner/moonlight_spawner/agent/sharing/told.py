"""What a guest's page hears without asking: what it may do now, and why it is over."""

from __future__ import annotations

import asyncio
import contextlib
import json

from ...relay import headers as h
from ...relay import pages
from ...relay.incoming import Incoming, Request
from ...relay.websocket import CLOSE, PING, TEXT, agree, frame
from .invitations import Invitation

#: ``gate.js`` listens there, and puts what it hears in the place of the page.
END = "/end"
#: The guest's page listens there for its role, a page of another server also for the end.
NEWS = "/news"
_BEAT_SECONDS = 25.0  # proxies end what is silent for a minute


Telling = set["asyncio.Future[None]"]


async def tell(incoming: Incoming, request: Request, one: Invitation, telling: Telling) -> None:
    """Agree to the page's WebSocket and say it all until the invitation is over; it is among
    ``telling`` as long as that lasts."""
    over = asyncio.get_running_loop().create_future()
    telling.add(over)
    try:
        await _tell(incoming, request, one)
    finally:
        telling.discard(over)
        over.set_result(None)


async def _tell(incoming: Incoming, request: Request, one: Invitation) -> None:
    news = asyncio.Event()
    one.changed.add(news.set)
    transport = await agree(incoming, request)
    try:
        if request.path == NEWS:
            news.set()
        while not transport.is_closing():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(news.wait(), _BEAT_SECONDS)
            if one.over:
                if request.path == END:
                    page = pages.html(one.over, h.get(request.headers, b"accept-language")).decode()
                    transport.write(_said({"page": page, "session": None}))
                else:
                    transport.write(_said({"over": one.over}))
                transport.write(frame(CLOSE))
                return
            if news.is_set() and request.path == NEWS:
                transport.write(_said({"role": one.role}))
            else:
                transport.write(frame(PING))
            news.clear()
    finally:
        one.changed.discard(news.set)
        transport.close()


def _said(what: object) -> bytes:
    return frame(TEXT, json.dumps(what).encode())
