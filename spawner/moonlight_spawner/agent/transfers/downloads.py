"""Files from the desktop.

A download is a way that the browser goes by itself, so it can show neither the session's token nor its
page's: it has a ticket for one file in its address, which that page has asked for, and which opens nothing
without the cookie.
"""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from contextlib import AbstractAsyncContextManager
from typing import Any

from ...relay import headers as h
from ...relay.incoming import Incoming, Request
from ...relay.replies import NO_STORE
from . import asked
from .outgoing import Outgoing
from .places import Places
from .refusals import Refused
from .threads import Threads

log = logging.getLogger(__name__)

_PIECE_BYTES = 1 << 20
_MOST_TICKETS = 1024


class Downloads:
    """Of one session. ``allowed``: whether the site lets files go out; else each is refused."""

    def __init__(self, allowed: bool, places: Places, threads: Threads):
        self._allowed = allowed
        self._places = places
        self._threads = threads
        self._tickets: OrderedDict[str, str] = OrderedDict()

    def knows(self, ticket: str) -> bool:
        return ticket in self._tickets

    async def ticket(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """A new address, at which one file is fetched.

        Raises
        ------
        Refused
        """
        if not self._allowed:
            raise asked.off()
        at = asked.address(wanted, "at")
        async with self._opened(at) as file:
            ticket = secrets.token_urlsafe(32)
            self._tickets[ticket] = at
            while len(self._tickets) > _MOST_TICKETS:
                self._tickets.popitem(last=False)
            return {"href": f"fetch/{ticket}", "name": file.name, "size": file.size}

    async def answer(self, incoming: Incoming, request: Request, ticket: str) -> None:
        if request.method not in ("GET", "HEAD"):
            raise Refused(405, "method_not_allowed", "A file is fetched by GET.")
        if ticket not in self._tickets:
            message = (
                "This address of a file is not valid any more. Fetch the file from its list again."
            )
            raise Refused(404, "no_such_ticket", message)
        if not self._allowed:
            raise asked.off()
        async with self._opened(self._tickets[ticket]) as file:
            headers = [
                (b"content-type", b"application/octet-stream"),
                (b"content-disposition", file.disposition),
                (b"content-security-policy", b"sandbox; default-src 'none'"),
                (b"x-content-type-options", b"nosniff"),
                (b"cross-origin-resource-policy", b"same-origin"),
                (b"cache-control", b"private, no-store"),
                (b"accept-ranges", b"bytes"),
                (b"etag", file.etag.encode()),
            ]
            wanted = h.get(request.headers, b"range"), h.get(request.headers, b"if-range")
            try:
                part = file.part(*wanted) if request.method == "GET" else None
            except Refused:
                await incoming.answer(
                    416, [(b"content-range", b"bytes */%d" % file.size), *NO_STORE]
                )
                return
            first, end = part or (0, file.size)
            if part:
                headers.append((b"content-range", b"bytes %d-%d/%d" % (first, end - 1, file.size)))
            headers.append((b"content-length", str(end - first).encode()))
            await incoming.begin(206 if part else 200, headers)
            if request.method == "GET":
                await self._send(incoming, file, first, end)
            await incoming.finish()

    async def _send(self, incoming: Incoming, file: Outgoing, at: int, end: int) -> None:
        while at < end:
            try:
                data = await self._threads.run(file.read, at, min(_PIECE_BYTES, end - at))
            except Refused as e:  # the answer has begun: its connection ends in the middle
                log.warning("a download ended: %s", e)
                incoming.wire.abort()
                raise ConnectionError(str(e)) from e
            await incoming.send(data)
            at += len(data)

    def _opened(self, at: str) -> AbstractAsyncContextManager[Outgoing]:
        return self._threads.opened(lambda: Outgoing(at, self._places.file(at)))
