"""What is asked below ``/files/``: where files may go, what is in a folder, uploads, downloads.

Whoever asks has the session's token or its page's (:mod:`..gateway`), or a ticket (:mod:`.downloads`).
"""

from __future__ import annotations

import json
import os
import re
import time
from typing import Any
from urllib.parse import parse_qs

from ...relay import headers as h
from ...relay.incoming import Incoming, Request
from ...relay.replies import NO_STORE
from ..display.clipboard import FROM_DESKTOP, TO_DESKTOP
from . import asked
from .downloads import Downloads
from .listing import MOST_AT_ONCE, Wanted, listing
from .places import Places
from .refusals import Refused, wrong
from .threads import Threads
from .uploads import TUS, Clock, Uploads

PATH = "/files/"
_JSON: h.Headers = [(b"content-type", b"application/json"), *NO_STORE]
_UPLOADS = re.compile(r"uploads(?:/([0-9a-f]{16}))?")
_TICKET = re.compile(r"fetch/([A-Za-z0-9_-]{43})")


class Files:
    """Answers for one session; files are opened and written as the user.

    Parameters
    ----------
    ways
        The site's setting ``files``.
    umask
        The user's own, for what is his.
    clock
        As :class:`.uploads.Uploads` has it.
    """

    def __init__(self, ways: str, places: Places, umask: int, clock: Clock = time.time):
        self._places = places
        self._umask = umask
        self.ways = ways
        self._in, self._out = ways in TO_DESKTOP, ways in FROM_DESKTOP
        self._threads = Threads()
        self._uploads = Uploads(self._in, places, umask, self._threads, clock)
        self._downloads = Downloads(self._out, places, self._threads)

    def is_ticket(self, request: Request) -> bool:
        """Whether its address alone shows that the session's own page has asked for this."""
        found = _TICKET.fullmatch(request.path.removeprefix(PATH))
        return bool(request.method in ("GET", "HEAD") and found and self._downloads.knows(found[1]))

    def stop(self) -> None:
        self._threads.stop()

    async def answer(self, incoming: Incoming, request: Request) -> None:
        """Answer one request."""
        try:
            await self._answer(incoming, request)
        except Refused as e:
            body = json.dumps(e.as_json()).encode()
            await asked.read_on(incoming)
            more = [(b"tus-version", TUS)] if e.status == 412 else []
            await incoming.answer(
                e.status, [*_JSON, *more], b"" if request.method == "HEAD" else body
            )

    async def _answer(self, incoming: Incoming, request: Request) -> None:
        path, method = request.path.removeprefix(PATH), request.method
        if found := _UPLOADS.fullmatch(path):
            await self._uploads.answer(incoming, request, found[1] or "")
        elif found := _TICKET.fullmatch(path):
            await self._downloads.answer(incoming, request, found[1])
        elif (method, path) == ("POST", "fetch"):
            ticket = await self._downloads.ticket(await asked.json_of(incoming))
            await _told(incoming, 201, ticket)
        elif (method, path) == ("GET", "places"):
            await _told(incoming, 200, await self._about())
        elif (method, path) == ("GET", "list"):
            await _told(incoming, 200, await self._list(request.query))
        elif (method, path) == ("POST", "folders"):
            await _told(incoming, 201, await self._make_folder(await asked.json_of(incoming)))
        else:
            raise Refused(404, "not_found", "There is nothing at this address.")

    async def _about(self) -> dict[str, Any]:
        places = await self._threads.run(self._places.about)
        usual = await self._threads.run(self._places.usual)
        return {"ways": self.ways, "places": places, "usual": usual}

    async def _list(self, query: str) -> dict[str, Any]:
        if not (self._in or self._out):
            raise asked.off()
        try:
            given = parse_qs(query, keep_blank_values=True, max_num_fields=16)
        except ValueError as e:
            raise wrong("The address has more than sixteen fields.") from e
        said = {name: values[0] for name, values in given.items()}
        first, most = said.get("from", "0"), said.get("most", str(MOST_AT_ONCE))
        if not (first.isdecimal() and most.isdecimal() and len(first + most) < 20):
            raise wrong("from and most are numbers.")
        wanted = Wanted(
            sort=said.get("sort", "name"),
            reverse=said.get("reverse") == "1",
            hidden=said.get("hidden") == "1",
            only_folders=not self._out,
            first=int(first),
            most=int(most),
        )
        at = asked.address(said, "in")
        return {"in": at, **await self._threads.run(self._listed, at, wanted)}

    def _listed(self, at: str, wanted: Wanted) -> dict[str, Any]:
        folder = self._places.folder(at)
        try:
            return listing(folder, wanted)
        finally:
            os.close(folder)

    async def _make_folder(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if not self._in:
            raise asked.off()
        at, name = asked.address(wanted, "in"), asked.text(wanted, "name")
        make = self._places.make
        return {"at": await self._threads.run(make, at, name.split("/"), self._umask)}


async def _told(incoming: Incoming, status: int, answer: Any) -> None:
    await incoming.answer(status, _JSON, json.dumps(answer).encode())
