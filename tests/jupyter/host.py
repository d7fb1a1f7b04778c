"""A streaming host that records the raw heads of all requests and answers as the path says."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

CHUNK = bytes(range(256)) * 256
PAGE = b"<!doctype html><title>recorded host</title>"
GREETING = b"hello from the host"
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Host:
    """Serves connections of an asyncio server; one request each."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.sent = 0  # bytes that a pumping WebSocket got rid of

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            await self._answer(head, reader, writer)
            await writer.drain()
        writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        line, *lines = head.decode("latin-1").strip().split("\r\n")
        method, target, _ = line.split(" ")
        headers = {n.lower(): v.strip() for n, _, v in (x.partition(":") for x in lines)}
        url = urlsplit(target)
        number = int(parse_qs(url.query).get("n", ["0"])[0])
        name = url.path.strip("/").replace("-", "_") or "page"
        if name != "upload":
            # What is unread when a connection is closed makes the kernel throw the answer away.
            async for _ in _body(headers, reader):
                pass
        if headers.get("upgrade") == "websocket":
            await self._websocket(name, headers, reader, writer)
        elif name == "upload":
            size, digest = 0, hashlib.sha256()
            async for part in _body(headers, reader):
                size += len(part)
                digest.update(part)
            say(writer, 200, json.dumps({"size": size, "sha256": digest.hexdigest()}).encode())
        elif name == "download":
            say(writer, 200, b"", [f"Content-Length: {number}"])
            await _pump(writer, number if method == "GET" else 0)
        elif name == "status":
            say(writer, number, b"", ['ETag: "unchanged"'] if number == 304 else [])
        elif name == "redirect":
            say(writer, 302, b"", ["Location: ./elsewhere/?x=1", "Content-Length: 0"])
        elif name == "range":
            first, last = headers["range"].removeprefix("bytes=").split("-")
            part = CHUNK[int(first) : int(last) + 1]
            say(writer, 206, part, [f"Content-Range: bytes {first}-{last}/{len(CHUNK)}"])
        elif name == "broken":
            say(writer, 200, b"0123456789", ["Content-Length: 1000"])
        elif name == "broken_chunks":
            say(writer, 200, b"a\r\n0123456789\r\n", ["Transfer-Encoding: chunked"])
        elif name == "headers":
            more = ["Link: </a>; rel=preload", "Link: </b>; rel=preload", "Set-Cookie: stolen=1"]
            more += ["Content-Type: text/plain", "X-Content-Type-Options: nosniff"]
            more += ["Content-Security-Policy: img-src 'self'; frame-ancestors 'none'"]
            say(writer, 200, PAGE, [*more, "X-Frame-Options: DENY"])
        else:
            say(writer, 200, PAGE if method == "GET" else b"", ["Content-Type: text/html"])

    async def _websocket(
        self,
        name: str,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        key = headers["sec-websocket-key"].encode()
        accept = b64encode(hashlib.sha1(key + _MAGIC).digest()).decode()
        upgrade = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}"]
        # The greeting lies in the same segment as the head: it must not get lost on the way.
        say(writer, 101, _frame(GREETING), [*upgrade, "Set-Cookie: stolen=1"])
        if name == "pump":
            frame = _frame(CHUNK[:60_000])
            while True:
                writer.write(frame)
                await writer.drain()
                self.sent += len(frame)
        while True:  # echo
            length = (await reader.readexactly(2))[1] & 0x7F
            if length == 126:
                length = int.from_bytes(await reader.readexactly(2), "big")
            mask = await reader.readexactly(4)
            data = await reader.readexactly(length)
            writer.write(_frame(bytes(b ^ mask[i % 4] for i, b in enumerate(data))))
            await writer.drain()


def say(
    writer: asyncio.StreamWriter, status: int, body: bytes, headers: list[str] | None = None
) -> None:
    """The head of an answer, and what it has of a body."""
    lines = [f"HTTP/1.1 {status} As Told", *(headers or [])]
    named = {line.partition(":")[0].lower() for line in lines}
    if body and not named & {"content-length", "transfer-encoding", "upgrade"}:
        lines.append(f"Content-Length: {len(body)}")
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)


async def _pump(writer: asyncio.StreamWriter, size: int) -> None:
    while size > 0:
        writer.write(CHUNK[:size])
        size -= len(CHUNK)
        await writer.drain()


async def _body(headers: dict[str, str], reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            yield await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return
    left = int(headers.get("content-length", "0"))
    while left:
        part = await reader.read(min(left, 65536))
        if not part:
            raise ConnectionError("half a body")
        left -= len(part)
        yield part


def _frame(data: bytes) -> bytes:
    """A WebSocket message from a server, binary."""
    if len(data) < 126:
        return bytes([0x82, len(data)]) + data
    return bytes([0x82, 126]) + len(data).to_bytes(2, "big") + data
