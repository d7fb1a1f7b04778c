"""What is asked below ``/files/``: where files may go, what is in a folder, uploads by tus 1.0, downloads.

Whoever asks has the session's token or its page's (:mod:`..gateway`). A download is a way that the browser
goes by itself, so it can show neither: it has a ticket for one file in its address, which that page has
asked for, and which opens nothing without the cookie.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qs

import h11

from ...relay import headers as h
from ...relay.incoming import Incoming, Request
from ...relay.replies import NO_STORE
from ...relay.wire import Wire
from ..display.clipboard import FROM_DESKTOP, TO_DESKTOP
from .incoming import Coming, Part, remove_old
from .listing import MOST_AT_ONCE, Wanted, listing
from .names import as_part, new_name
from .outgoing import Outgoing
from .places import Places
from .refusals import Refused, wrong

T = TypeVar("T")
log = logging.getLogger(__name__)

PATH = "/files/"
_TUS = b"1.0.0"
_JSON: h.Headers = [(b"content-type", b"application/json"), *NO_STORE]
_ID = re.compile(r"uploads/([0-9a-f]{16})")
_TICKET = re.compile(r"fetch/([A-Za-z0-9_-]{43})")
_PIECE_BYTES = 1 << 20
_MOST_JSON_BYTES = 64 * 1024
#: So much of a body that is refused is read all the same: a proxy that still sends may lose the answer.
_MOST_READ_BYTES = 64 << 20
_MOST_COMING, _MOST_TICKETS = 1024, 1024
_MOST_BYTES = 1 << 53  # what JavaScript counts exactly
_BUSY_SECONDS = 10.0
_THREADS = 4


class Files:
    """Answers for one session; files are opened and written as the user, in threads of their own.

    Parameters
    ----------
    ways
        The site's setting ``files``.
    umask
        The user's own, for what is his.
    """

    def __init__(self, ways: str, places: Places, umask: int):
        self._places = places
        self._umask = umask
        self.ways = ways
        self._in, self._out = ways in TO_DESKTOP, ways in FROM_DESKTOP
        self._coming: OrderedDict[str, Coming] = OrderedDict()
        # Who has not heard that the last byte came asks again.
        self._came: OrderedDict[str, tuple[int, h.Headers]] = OrderedDict()
        self._busy: dict[str, tuple[asyncio.Lock, Wire | None]] = {}
        self._tickets: OrderedDict[str, str] = OrderedDict()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="files")

    def is_ticket(self, request: Request) -> bool:
        """Whether its address alone shows that the session's own page has asked for this."""
        found = _TICKET.fullmatch(request.path.removeprefix(PATH))
        return request.method in ("GET", "HEAD") and bool(found and found[1] in self._tickets)

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def answer(self, incoming: Incoming, request: Request) -> None:
        """Answer one request."""
        try:
            await self._answer(incoming, request)
        except Refused as e:
            body = json.dumps(e.as_json()).encode()
            await _read_on(incoming)
            more = [(b"tus-version", _TUS)] if e.status == 412 else []
            await incoming.answer(
                e.status, [*_JSON, *more], b"" if request.method == "HEAD" else body
            )

    async def _answer(self, incoming: Incoming, request: Request) -> None:
        path, method = request.path.removeprefix(PATH), request.method
        if path == "uploads" or _ID.fullmatch(path):
            await self._uploads(incoming, request, path)
        elif found := _TICKET.fullmatch(path):
            await self._fetch(incoming, request, found[1])
        elif (method, path) == ("POST", "fetch"):
            await _told(incoming, 201, await self._ticket(await _json(incoming)))
        elif (method, path) == ("GET", "places"):
            await _told(incoming, 200, await self._about())
        elif (method, path) == ("GET", "list"):
            await _told(incoming, 200, await self._list(request.query))
        elif (method, path) == ("POST", "folders"):
            await _told(incoming, 201, await self._make_folder(await _json(incoming)))
        else:
            raise Refused(404, "not_found", "There is nothing at this address.")

    # Where.

    async def _about(self) -> dict[str, Any]:
        places = await self._in_thread(self._places.about)
        return {
            "ways": self.ways,
            "places": places,
            "usual": await self._in_thread(self._places.usual),
        }

    async def _list(self, query: str) -> dict[str, Any]:
        if not (self._in or self._out):
            raise _off()
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
        at = _address(said, "in")
        return {"in": at, **await self._in_thread(self._listed, at, wanted)}

    def _listed(self, at: str, wanted: Wanted) -> dict[str, Any]:
        folder = self._places.folder(at)
        try:
            return listing(folder, wanted)
        finally:
            os.close(folder)

    async def _make_folder(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self._in:
            raise _off()
        at, name = _address(asked, "in"), _text(asked, "name")
        made = await self._in_thread(self._places.make, at, name.split("/"), self._umask)
        return {"at": made}

    # To the desktop.

    async def _uploads(self, incoming: Incoming, request: Request, path: str) -> None:
        if request.method == "OPTIONS":
            more = [(b"tus-version", _TUS), (b"tus-extension", b"creation,termination")]
            await incoming.answer(204, [(b"tus-resumable", _TUS), *more, *NO_STORE])
            return
        if h.get(request.headers, b"tus-resumable") != _TUS.decode():
            raise Refused(412, "invalid_request", "Tus-Resumable has to be 1.0.0.")
        if not self._in:
            raise _off()
        found = _ID.fullmatch(path)
        if request.method == "POST" and not found:
            await self._create(incoming, request)
        elif found and request.method in ("HEAD", "PATCH", "DELETE"):
            await self._go_on(incoming, request, found[1])
        else:
            raise Refused(405, "method_not_allowed", "Uploads are those of tus 1.0 (tus.io).")

    async def _create(self, incoming: Incoming, request: Request) -> None:
        given = _metadata(h.get(request.headers, b"upload-metadata"))
        length = _number(request, b"upload-length")
        *folders, name = given.get("filename", "").split("/")
        at = _address(given, "folder") if given.get("folder") else ""
        to = at or await self._in_thread(self._places.usual)
        if folders:
            to = await self._in_thread(self._places.make, to, folders, self._umask)
        coming = Coming.of(to, new_name(name), length, given.get("mark", ""))
        keep = {one.part for one in self._coming.values()} | {coming.part}
        await self._in_thread(self._remove_old, to, keep)
        self._remember(coming)
        async with self._turn(coming.id, incoming.wire), self._part(coming) as part:
            offset = await self._in_thread(lambda: part.size)
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
        async with self._turn(upload_id, incoming.wire), self._part(coming) as part:
            size = await self._in_thread(lambda: part.size)
            if request.method == "HEAD":
                length = (b"upload-length", str(coming.length).encode())
                await incoming.answer(200, [*_offset(size), length])
            elif request.method == "DELETE":
                self._coming.pop(upload_id, None)
                await self._in_thread(part.discard)
                await incoming.answer(204, [(b"tus-resumable", _TUS), *NO_STORE])
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
        at = _number(request, b"upload-offset")
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
                    await self._in_thread(part.write, data, at)
                    at += len(data)
        except (OSError, h11.RemoteProtocolError) as e:
            # The connection broke: what came is there when it goes on.
            await self._in_thread(part.write, b"".join(pieces), at)
            raise ConnectionError("an upload was interrupted") from e
        await self._in_thread(part.write, b"".join(pieces), at)
        return at + held

    async def _finish(self, coming: Coming, part: Part) -> h.Headers:
        name = await self._in_thread(part.finish)
        self._coming.pop(coming.id, None)
        log.info("a file of %d bytes has come", coming.length)
        more = [(b"moonlight-file", f"{coming.folder}/{as_part(name)}".encode())]
        self._came[coming.id] = coming.length, more
        while len(self._came) > _MOST_COMING:
            self._came.popitem(last=False)
        return more

    def _remove_old(self, at: str, keep: set[bytes]) -> None:
        folder = self._places.folder(at)
        try:
            remove_old(folder, keep)
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

    # From the desktop.

    async def _ticket(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self._out:
            raise _off()
        at = _address(asked, "at")
        async with self._file(at) as file:
            ticket = secrets.token_urlsafe(32)
            self._tickets[ticket] = at
            while len(self._tickets) > _MOST_TICKETS:
                self._tickets.popitem(last=False)
            return {"href": f"fetch/{ticket}", "name": file.name, "size": file.size}

    async def _fetch(self, incoming: Incoming, request: Request, ticket: str) -> None:
        if request.method not in ("GET", "HEAD"):
            raise Refused(405, "method_not_allowed", "A file is fetched by GET.")
        if ticket not in self._tickets:
            message = (
                "This address of a file is not valid any more. Fetch the file from its list again."
            )
            raise Refused(404, "no_such_ticket", message)
        if not self._out:
            raise _off()
        async with self._file(self._tickets[ticket]) as file:
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
            asked = h.get(request.headers, b"range"), h.get(request.headers, b"if-range")
            try:
                part = file.part(*asked) if request.method == "GET" else None
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
                data = await self._in_thread(file.read, at, min(_PIECE_BYTES, end - at))
            except Refused as e:  # the answer has begun: its connection ends in the middle
                log.warning("a download ended: %s", e)
                incoming.wire.abort()
                raise ConnectionError(str(e)) from e
            await incoming.send(data)
            at += len(data)

    # Files are opened and closed in threads, too: a file system may hang.

    async def _in_thread(self, work: Callable[..., T], *words: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(work, *words)
        )

    @asynccontextmanager
    async def _part(self, coming: Coming) -> AsyncIterator[Part]:
        part = await self._in_thread(self._open_part, coming)
        try:
            yield part
        finally:
            self._threads.submit(part.close)

    def _open_part(self, coming: Coming) -> Part:
        return Part(coming, self._places.folder(coming.folder), self._umask)

    @asynccontextmanager
    async def _file(self, at: str) -> AsyncIterator[Outgoing]:
        file = await self._in_thread(lambda: Outgoing(at, self._places.file(at)))
        try:
            yield file
        finally:
            self._threads.submit(file.close)


def _off() -> Refused:
    return Refused(403, "files_off", "This site lets no files go that way.")


def _offset(at: int) -> h.Headers:
    return [(b"tus-resumable", _TUS), (b"upload-offset", str(at).encode()), *NO_STORE]


def _number(request: Request, name: bytes) -> int:
    said = h.get(request.headers, name)
    if not re.fullmatch("[0-9]{1,16}", said) or int(said) > _MOST_BYTES:
        raise wrong(f"The header {name.decode().title()} has to be a number of bytes.")
    return int(said)


def _metadata(header: str) -> dict[str, str]:
    """Of the header Upload-Metadata: names, each with its value in base64."""
    found = {}
    for pair in header.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError) as e:
            raise wrong(f"“{name[:40]}” in Upload-Metadata is not UTF-8 in base64.") from e
    return found


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise wrong(f"{name} has to be a text.")
    return value


def _address(asked: Mapping[str, Any], name: str) -> str:
    value = _text(asked, name)
    if not value.isascii() or not value.isprintable() or len(value) > _MOST_JSON_BYTES:
        raise wrong(f"{name} is an address, its parts percent-encoded.")
    return value


async def _json(incoming: Incoming) -> dict[str, Any]:
    data = await incoming.short_body(_MOST_JSON_BYTES)
    if data is None:
        raise Refused(413, "too_large", f"At most {_MOST_JSON_BYTES} bytes are taken here.")
    try:
        asked = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise wrong("The request is no object of JSON.")
    return asked


async def _told(incoming: Incoming, status: int, answer: Any) -> None:
    await incoming.answer(status, _JSON, json.dumps(answer).encode())


async def _read_on(incoming: Incoming) -> None:
    """To the end of a body that is refused, where that is not far."""
    read = 0
    if incoming.has_unread and incoming.declared <= _MOST_READ_BYTES:
        async for piece in incoming.body():
            read += len(piece)
            if read > _MOST_READ_BYTES:
                return
