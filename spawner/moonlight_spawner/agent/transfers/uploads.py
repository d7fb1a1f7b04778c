"""Files to the desktop, by tus 1.0 (tus.io): each is announced, sent in as many requests as it takes, and
finished."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import h11

from ...model.trust import exposed
from ...relay import headers as h
from ...relay.incoming import Incoming, Request
from ...relay.replies import NO_STORE
from ...relay.wire import Wire
from . import asked
from .incoming import Coming, Identity, Part, remove_old
from .names import as_part, new_name
from .places import Places
from .refusals import Refused, wrong
from .threads import Threads

log = logging.getLogger(__name__)

TUS = b"1.0.0"
_PIECE_BYTES = 1 << 20
_MOST_COMING = 1024
_BUSY_SECONDS = 10.0
_LOOK_AGAIN_SECONDS, _MOST_LOOKED = 3600.0, 1024

Clock = Callable[[], float]


class Uploads:
    """Of one session.

    Parameters
    ----------
    allowed
        Whether the site lets files come; else each is refused.
    clock
        Seconds since 1970: what is old is so by it.
    """

    def __init__(
        self, allowed: bool, places: Places, umask: int, threads: Threads, clock: Clock = time.time
    ):
        self._allowed = allowed
        self._places = places
        self._umask = umask
        self._threads = threads
        self._coming: OrderedDict[str, Coming] = OrderedDict()
        # Who has not heard that the last byte came asks again.
        self._came: OrderedDict[str, tuple[int, h.Headers]] = OrderedDict()
        # Which file each of them is, and what tells this session's from others' where these may be
        # exchanged: what has come is gone on with there by the session that began it, and by no other.
        self._parts: OrderedDict[str, Identity] = OrderedDict()
        self._salt = secrets.token_hex(16)
        self._busy: dict[str, tuple[asyncio.Lock, Wire | None]] = {}
        self._old = _Looked(clock)

    async def answer(self, incoming: Incoming, request: Request, upload_id: str) -> None:
        """``upload_id`` is empty where none is named."""
        if request.method == "OPTIONS":
            more = [(b"tus-version", TUS), (b"tus-extension", b"creation,termination")]
            await incoming.answer(204, [(b"tus-resumable", TUS), *more, *NO_STORE])
            return
        if h.get(request.headers, b"tus-resumable") != TUS.decode():
            raise Refused(412, "invalid_request", "Tus-Resumable has to be 1.0.0.")
        if not self._allowed:
            raise asked.off()
        if request.method == "POST" and not upload_id:
            await self._create(incoming, request)
        elif upload_id and request.method in ("HEAD", "PATCH", "DELETE"):
            await self._go_on(incoming, request, upload_id)
        else:
            raise Refused(405, "method_not_allowed", "Uploads are those of tus 1.0 (tus.io).")

    async def _create(self, incoming: Incoming, request: Request) -> None:
        given = asked.metadata(h.get(request.headers, b"upload-metadata"))
        length = asked.number(request, b"upload-length")
        *folders, name = given.get("filename", "").split("/")
        at = asked.address(given, "folder") if given.get("folder") else ""
        to = at or await self._threads.run(self._places.usual)
        if folders:
            to = await self._threads.run(self._places.make, to, folders, self._umask)
        mark = given.get("mark", "")
        shared = await self._threads.run(self._exposed, to)
        mark += self._salt if mark and shared else ""
        coming = Coming.of(to, new_name(name), length, mark)
        self._remember(coming)
        if (now := self._old.is_due(to)) is not None:
            keep = {one.part for one in self._coming.values()}
            await self._threads.run(self._remove_old, to, keep, now)
        async with self._turn(coming.id, incoming.wire), self._opened(coming) as part:
            offset = await self._threads.run(lambda: part.size)
            more = [(b"location", f"uploads/{coming.id}".encode())]
            if offset == length:
                more += await self._finish(coming, part)
            await incoming.answer(201, [*_offset(offset), *more])

    async def _go_on(self, incoming: Incoming, request: Request, upload_id: str) -> None:
        if request.method == "HEAD" and (came := self._came.get(upload_id)):
            size, more = came
            length = (b"upload-length", str(size).encode())
            await incoming.answer(200, [*_offset(size), length, *more])
            return
        coming = self._coming.get(upload_id)
        if not coming:
            message = "This upload is not known any more. Send the file again: it goes on from where it was."
            raise Refused(404, "no_such_upload", message)
        async with self._turn(upload_id, incoming.wire), self._opened(coming) as part:
            size = await self._threads.run(lambda: part.size)
            if request.method == "HEAD":
                length = (b"upload-length", str(coming.length).encode())
                await incoming.answer(200, [*_offset(size), length])
            elif request.method == "DELETE":
                self._coming.pop(upload_id, None)
                await self._threads.run(part.discard)
                await incoming.answer(204, [(b"tus-resumable", TUS), *NO_STORE])
            else:
                at = await self._append(incoming, request, coming, part, size)
                more = await self._finish(coming, part) if at == coming.length else []
                await incoming.answer(204, [*_offset(at), *more])

    async def _append(
        self, incoming: Incoming, request: Request, coming: Coming, part: Part, size: int
    ) -> int:
        """Write the request's body; how much is there then."""
        if h.get(request.headers, b"content-type") != "application/offset+octet-stream":
            raise Refused(415, "invalid_request", "The body is application/offset+octet-stream.")
        at = asked.number(request, b"upload-offset")
        if at != size:
            raise Refused(409, "wrong_offset", f"{size} bytes are there, not {at}.", offset=size)
        pieces: list[bytes] = []
        held = 0
        try:
            async for piece in incoming.body():
                pieces.append(piece)
                held += len(piece)
                if at + held > coming.length:
                    raise wrong(f"The file was to have {coming.length} bytes, and has more.")
                if held >= _PIECE_BYTES:
                    data, pieces, held = b"".join(pieces), [], 0
                    await self._threads.run(part.write, data, at)
                    at += len(data)
        except (OSError, h11.RemoteProtocolError) as e:
            # The connection broke: what came is there when it goes on.
            await self._threads.run(part.write, b"".join(pieces), at)
            raise ConnectionError("an upload was interrupted") from e
        await self._threads.run(part.write, b"".join(pieces), at)
        return at + held

    async def _finish(self, coming: Coming, part: Part) -> h.Headers:
        name = await self._threads.run(part.finish)
        self._coming.pop(coming.id, None)
        log.info("a file of %d bytes has come", coming.length)
        more = [(b"moonlight-file", f"{coming.folder}/{as_part(name)}".encode())]
        self._came[coming.id] = coming.length, more
        while len(self._came) > _MOST_COMING:
            self._came.popitem(last=False)
        return more

    def _exposed(self, at: str) -> bool:
        folder = self._places.folder(at)
        try:
            return exposed(folder)
        finally:
            os.close(folder)

    def _remove_old(self, at: str, keep: set[bytes], now: float) -> None:
        folder = self._places.folder(at)
        try:
            remove_old(folder, keep, now)
        finally:
            os.close(folder)

    def _remember(self, coming: Coming) -> None:
        self._came.pop(coming.id, None)
        self._coming[coming.id] = coming
        self._coming.move_to_end(coming.id)
        while len(self._coming) > _MOST_COMING:  # which are found again by who comes back for them
            self._coming.popitem(last=False)

    @asynccontextmanager
    async def _turn(self, upload_id: str, wire: Wire) -> AsyncIterator[None]:
        """Alone with this upload. Who comes anew has lost the connection before, which may not know yet.

        Raises
        ------
        Refused
        """
        lock, before = self._busy.get(upload_id) or (asyncio.Lock(), None)
        if before and before is not wire:
            before.abort()
        self._busy[upload_id] = lock, wire
        try:
            await asyncio.wait_for(lock.acquire(), _BUSY_SECONDS)
        except asyncio.TimeoutError as e:
            self._busy[upload_id] = lock, before
            message = "What came before of this file is still being written. Try again in a moment."
            raise Refused(423, "upload_busy", message) from e
        try:
            yield
        finally:
            lock.release()
            if self._busy.get(upload_id) == (lock, wire):
                del self._busy[upload_id]

    @asynccontextmanager
    async def _opened(self, coming: Coming) -> AsyncIterator[Part]:
        known = self._parts.get(coming.id)
        async with self._threads.opened(self._open, coming, known) as part:
            self._parts[coming.id] = part.identity
            self._parts.move_to_end(coming.id)
            while len(self._parts) > _MOST_COMING:
                self._parts.popitem(last=False)
            yield part

    def _open(self, coming: Coming, known: Identity | None) -> Part:
        return Part(coming, self._places.folder(coming.folder), self._umask, known)


class _Looked:
    """When each folder was last looked through for what nobody has come back for: whoever sends ten
    thousand files into one must not have it read ten thousand times."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self._at: OrderedDict[str, float] = OrderedDict()

    def is_due(self, folder: str) -> float | None:
        """The time now, if that folder is to be looked through, and then taken for looked through."""
        now = self._clock()
        if 0 <= now - self._at.get(folder, -math.inf) < _LOOK_AGAIN_SECONDS:
            return None
        self._at[folder] = now
        self._at.move_to_end(folder)
        while len(self._at) > _MOST_LOOKED:
            self._at.popitem(last=False)
        return now


def _offset(at: int) -> h.Headers:
    return [(b"tus-resumable", TUS), (b"upload-offset", str(at).encode()), *NO_STORE]
