"""A front as Open OnDemand has it: ``/node/HOST/PORT/…`` of everybody under one https origin.

It passes the whole path on, over TLS, and removes ``Authorization``, as OOD does
(open-ondemand.md, "The node proxy"). Other paths are pages of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from moonlight_spawner.agent.node.certificate import make_certificate

from tests.support.waiting import PATIENCE

_NODE = re.compile(rb"^[A-Z]+ /node/[^/]+/([0-9]+)[/ ]")


class Front:
    """Serves until the end of its ``with``."""

    def __init__(self, pages: dict[str, str] | None = None):
        self.pages = pages or {}
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Front:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with tempfile.TemporaryDirectory() as directory:
            tls, _ = make_certificate(Path(directory), "ml-front")
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        server = self._loop.run_until_complete(starting)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection: what follows the head is not looked at."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            node = _NODE.match(head)
            if node:
                await self._relay(int(node[1]), _head(head), reader, writer)
            else:
                path = head.split(b" ")[1].decode()
                page = self.pages.get(path)
                body = (page or "nothing here").encode()
                status = "200 OK" if page else "404 Not Found"
                answer = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nConnection: close\r\n"
                writer.write(f"{answer}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()

    async def _relay(
        self, port: int, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        there, node = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        node.write(head)
        both = [
            asyncio.ensure_future(_copy(reader, node)),
            asyncio.ensure_future(_copy(there, writer)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for one in both:  # or the other would write on to what is closed then
            one.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        node.close()


def _head(head: bytes) -> bytes:
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"authorization:")]
    if b"\r\nupgrade: websocket" not in head.lower():
        lines = [line for line in lines if not line.lower().startswith(b"connection:")]
        lines.insert(1, b"Connection: close")
    return b"\r\n".join(lines)


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            to.write(data)
            await to.drain()
