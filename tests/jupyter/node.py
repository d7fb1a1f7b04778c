"""A node for recorded sessions: the project's own gateway before a host that records."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import threading
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from moonlight_spawner.agent.gateway import Gateway as GatewayServer
from moonlight_spawner.agent.gateway.door import Door
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.model.session import Gateway
from moonlight_spawner.processes.mark import this_machine
from moonlight_spawner.relay.upstream import Target

from tests.support.waiting import PATIENCE

from .host import Host, say
from .sessions import TOKEN

T = TypeVar("T")


class Control:
    """The part of a streaming host that only the portal may ask; remembers what it was asked."""

    one_start_at_a_time = False

    def __init__(self) -> None:
        self.asked: list[str] = []

    def around_stream(self, path: str) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def starts_stream(self, method: str, path: str) -> bool:
        return False

    def begun(self, kind: int, data: bytes) -> bool:
        return True

    def health(self) -> dict[str, Any]:
        return {}

    def answer(self, path: str) -> None:
        return None

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        return ""

    async def control(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        return 200, {"available": False, "clients": []}


class Node:
    """Runs in a thread with an event loop of its own.

    ``gateway`` is its record on another machine, ``near`` on this one.
    ``host.heads`` is what reached the streaming host, ``impostor_heads`` what reached somebody who
    listens where a gateway was.
    """

    def __init__(self, directory: Path):
        self._directory = directory
        # Not below tmp_path: a Unix socket's path has to be short.
        self._runtime = tempfile.TemporaryDirectory(prefix="mljt-")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._servers: list[asyncio.Server] = []
        self.host = Host()
        self.control = Control()
        self.impostor_heads: list[bytes] = []

    def __enter__(self) -> Node:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._runtime.cleanup()

    def go_away(self) -> None:
        """The gateway ends; nobody listens on its port any more."""
        self._run(self._server.stop())

    def impostor(self) -> Gateway:
        """Somebody else with another certificate now listens where records say a gateway is."""
        tls, _ = make_certificate(Path(self._runtime.name), "impostor")
        port = self._run(self._listen(tls))
        return Gateway(hosts=["127.0.0.1"], port=port, certificate=self.gateway.certificate)

    async def _listen(self, tls: ssl.SSLContext) -> int:
        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.impostor_heads.append(await reader.read(65536))
            say(writer, 200, b"give me your token")
            writer.close()

        server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _start(self) -> None:
        path = str(Path(self._runtime.name) / "host.sock")
        self._servers.append(await asyncio.start_unix_server(self.host.serve, path))
        tls, certificate = make_certificate(Path(self._runtime.name), "node")
        self._server = GatewayServer(
            Door(TOKEN, "ml-test-aaaaaaaaaa"),
            lambda: Target(path=path),
            tls,
            signaling_path="/signaling-of-the-host",
            host=self.control,
        )
        await self._server.start("127.0.0.1")
        self.gateway = Gateway(hosts=["127.0.0.1"], port=self._server.port, certificate=certificate)
        near = Path(self._runtime.name) / "gateway"
        self._server.open_near(near)
        # Whoever is answered has come by the socket.
        socket = {"port": 1, "socket": str(near), "machine": this_machine()}
        self.near = self.gateway.model_copy(update=socket)

    async def _stop(self) -> None:
        await self._server.stop()
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)
