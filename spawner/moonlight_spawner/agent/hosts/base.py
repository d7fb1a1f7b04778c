"""What a streaming host says of itself: how it starts, when it is ready, where its client is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...model.records import Spec
from ...model.sentences import Said
from ...model.session import Resources
from ...processes.child import Child
from ...relay import headers as h
from ...relay.upstream import Target
from ..desktop.container import Container
from ..desktop.gpu import Gpu
from ..desktop.manifest import Application
from ..node.memory import SharedMemory

Answer = tuple[int, h.Headers, bytes]


class HostFailed(Exception):
    """The host did not start or delivers no picture. The text says why and what to do."""


@dataclass(frozen=True)
class HostContext:
    """What a host gets to work with.

    Parameters
    ----------
    env
        The desktop's environment, with DISPLAY and XAUTHORITY.
    runtime
        The session's private directory on the node (mode 0700).
    ports
        Base of the session's block of ports.
    claim_ports
        Claims another block in its place and gives its base.
    memory
        Closes the shared memory of the session's programs to others.
    note
        Tells the user something that stays with the session.
    address
        The node's address for native clients, None where the site has none.
    gpu
        The job's, None where it has none.
    audio
        Whether a PulseAudio of the session's own runs.
    application
        A program of the image that is offered besides the desktop.
    ahead
        What :meth:`Host.ahead` has begun.
    """

    spec: Spec
    env: Mapping[str, str]
    runtime: Path
    log_dir: Path
    directory: Path
    container: Container
    ports: int
    claim_ports: Callable[[], int]
    memory: SharedMemory
    note: Callable[[Said], None]
    address: str | None = None
    gpu: Gpu | None = None
    audio: bool = False
    application: Application | None = None
    ahead: Child | None = None

    @property
    def request(self) -> Resources:
        return self.spec.request


class Host(ABC):
    """A program that captures the display and serves a web client."""

    name: str
    #: Whether it must not be asked for two streams at once.
    one_start_at_a_time = False
    #: It has ended and does not stream yet again.
    away = False
    #: It ends so often that it is started again after pauses only.
    pausing = False
    #: The query that makes a stream one of somebody who only watches, by the host's own rules; empty: it
    #: has none, and is shown to nobody else.
    watching = ""
    #: Its client's page for such a stream, and the files of that client.
    watching_page = ""
    watching_files = ""
    #: How often it, or a part of it, has been started again. Whoever sees a picture of before has a dead one.
    restarts = 0

    def __init__(self, context: HostContext):
        self.context = context
        self.env = dict(context.env)

    @classmethod
    def binds_ports(cls, spec: Spec) -> bool:
        """Whether it binds ports of the session's block, which then have to be free."""
        return False

    @classmethod
    async def ahead(
        cls, spec: Spec, env: Mapping[str, str], runtime: Path, log_dir: Path
    ) -> Child | None:
        """Begin what can begin before there is an X server, in this environment; None if nothing can."""
        return None

    @property
    @abstractmethod
    def child(self) -> Child:
        """The process whose end means that the host is gone."""

    @abstractmethod
    async def start(self) -> None:
        """Start it and wait until it answers.

        Raises
        ------
        HostFailed
        """

    @abstractmethod
    async def picture(self) -> str:
        """Wait until it delivers a picture; gives what is really used, e.g. the encoder.

        Raises
        ------
        HostFailed
        """

    @property
    def children(self) -> list[Child]:
        """All its processes; the end of any of them makes the host start again."""
        return [self.child]

    @abstractmethod
    def target(self) -> Target | None:
        """Where the gateway reaches it, None while it is on its way."""

    @property
    @abstractmethod
    def signaling_path(self) -> str:
        """Path of the WebSocket that its client opens, for the signalling alias of the portal."""

    @property
    def absence(self) -> str:
        """Which page tells why there is no web client (:mod:`moonlight_spawner.relay.pages`)."""
        return "host_away"

    def around_stream(self, path: str) -> AbstractAsyncContextManager[None]:
        """Around a WebSocket of its page's, from before it is passed on until it ends; UpstreamError out
        of it: it cannot be passed on."""
        return nullcontext()

    def starts_stream(self, method: str, path: str) -> bool:
        """Whether this request, which is no WebSocket, starts a stream, and the answer ends the start."""
        return False

    def begun(self, kind: int, data: bytes) -> bool:
        """Whether a message on the stream's WebSocket says that its start is over: video has come, or
        none will. ``kind`` is the opcode (RFC 6455, 5.2), ``data`` how the message begins."""
        return True

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        """Why a request of the web client is not passed on, as a page's name; empty if it is.

        ``path`` is as sent, still percent-encoded.
        """
        return ""

    def answer(self, path: str) -> Answer | None:
        """What the gateway says itself for a path of the web client, None to ask the client."""
        return None

    async def control(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """The host's own API for the portal (bearer only), below ``/control``: status and JSON."""
        return 404, {"message": f"Streaming host {self.name} has nothing at {path}."}

    def servers_changed(self) -> None:  # noqa: B027  # nothing to do for most
        """The credentials for TURN in its ``spec`` are others: what it starts anew has them by itself."""

    async def restart(self) -> None:
        """Start again what has ended.

        Raises
        ------
        HostFailed
        """
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        await self.child.stop(1.5)
