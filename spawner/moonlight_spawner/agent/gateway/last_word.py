"""What a session says to the pages that show it when it ends, while its port is still open.

Behind a portal's node proxy nobody is left to say it afterwards: the port is gone, and the picture
stands still. A page listens by a WebSocket, of which a browser may have many more than requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from ...relay import headers as h
from ...relay import pages
from ...relay.incoming import Incoming, Request
from ...relay.websocket import CLOSE, PING, TEXT, agree, frame

PATH = "/end"

# Proxies end what is silent for a minute.
_BEAT_SECONDS = 25.0
_HEARD_SECONDS = 0.5


class LastWord:
    """Said once; who listens later is told at once."""

    def __init__(self) -> None:
        self._said = asyncio.Event()
        self._reason = ""
        self._session: Any = None
        self._listening: set[asyncio.Future[None]] = set()

    async def say(self, reason: str, session: Any = None) -> None:
        """Tell how the session ended, with what is known of it, and wait until it is sent."""
        self._reason, self._session = reason, session
        self._said.set()
        if self._listening:
            await asyncio.wait(self._listening, timeout=_HEARD_SECONDS)

    async def tell(self, incoming: Incoming, request: Request) -> None:
        """Agree to a page's WebSocket and send it the end: for the viewer the session, for any other
        page one that takes its place."""
        transport = await agree(incoming, request)
        told = asyncio.get_running_loop().create_future()
        self._listening.add(told)
        try:
            while not transport.is_closing():
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._said.wait(), _BEAT_SECONDS)
                    language = h.get(request.headers, b"accept-language")
                    page = pages.html("ended", language, self._reason).decode()
                    said = json.dumps({"page": page, "session": self._session})
                    transport.write(frame(TEXT, said.encode()))
                    transport.write(frame(CLOSE))
                    return
                transport.write(frame(PING))
        finally:
            self._listening.discard(told)
            told.set_result(None)
            transport.close()
