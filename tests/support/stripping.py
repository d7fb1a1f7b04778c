"""A proxy that takes Upgrade and Connection out of requests, as those do that nobody told better."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from types import TracebackType

from tests.support.waiting import PATIENCE

_HOP_BY_HOP = (b"upgrade:", b"connection:")


class StrippingProxy:
    """Before a server on a port of this machine; ``strips`` may be changed while it runs."""

    def __init__(self, upstream: int):
        self.strips = True
        self.port = 0
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> StrippingProxy:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(PATIENCE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        back = asyncio.ensure_future(_pump(up_reader, writer))
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
                if not self.strips and any(li.lower().startswith(b"upgrade:") for li in lines):
                    up_writer.write(b"\r\n".join(lines))
                    await _pump(reader, up_writer)
                    break
                lines = [li for li in lines if not li.lower().startswith(_HOP_BY_HOP)]
                lengths = [li for li in lines if li.lower().startswith(b"content-length:")]
                length = int(lengths[0].split(b":")[1]) if lengths else 0
                up_writer.write(b"\r\n".join(lines) + await reader.readexactly(length))
                await up_writer.drain()
        up_writer.close()
        await back


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
