"""What the streaming host's client asks: answered here, or passed on to the host."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any, Protocol

import h11

from ...relay import gate
from ...relay import headers as h
from ...relay.forward import relay_exchange, relay_page, relay_stream
from ...relay.incoming import Incoming, Request
from ...relay.replies import NO_STORE, reply_page
from ...relay.upstream import Target, UpstreamError
from .turns import Turns

log = logging.getLogger(__name__)

_AWAY = "host_away"
JSON = [(b"content-type", b"application/json"), *NO_STORE]


class Local(Protocol):
    """What a session answers without its streaming host's client being asked."""

    @property
    def absence(self) -> str:
        """Name of the page that is shown while there is no client (:mod:`moonlight_spawner.relay.pages`)."""

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        """For a browser: name of the page that says why this is not passed on, empty if it is."""

    @property
    def one_start_at_a_time(self) -> bool:
        """Whether streams have to start one after the other."""

    def around_stream(self, path: str) -> AbstractAsyncContextManager[None]:
        """Around a WebSocket on its way to the host; UpstreamError: it is not to be passed on."""

    def starts_stream(self, method: str, path: str) -> bool:
        """Whether a request that is no WebSocket starts a stream."""

    def begun(self, kind: int, data: bytes) -> bool:
        """Whether a message on a stream says that its start is over."""

    def health(self) -> dict[str, Any]:
        """What is to be known of the host, besides whether it is there."""

    def answer(self, path: str) -> tuple[int, h.Headers, bytes] | None:
        """For a browser: a whole answer, None to ask the client."""

    async def control(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """For the portal: status and JSON for a path below ``/control``."""


class Watching:
    """How many streams are open, and for how long none has been."""

    def __init__(self) -> None:
        self.streams = 0
        self._left = time.monotonic()

    @property
    def unwatched(self) -> float:
        """Seconds, 0 while somebody watches."""
        return 0.0 if self.streams else time.monotonic() - self._left

    def __enter__(self) -> None:
        self.streams += 1

    def __exit__(self, *_: object) -> None:
        self.streams -= 1
        self._left = time.monotonic()


class Passage:
    """For who has been let in.

    Parameters
    ----------
    token
        What the session's own page has and no other (:mod:`...relay.gate`).
    """

    def __init__(
        self,
        target: Callable[[], Target | None],
        signaling_path: str,
        host: Local | None,
        token: str,
    ):
        self._target = target
        self._signaling_path = signaling_path
        self._host = host
        self._token = token
        self._turns = Turns()
        self.watching = Watching()

    async def take(self, incoming: Incoming, request: Request, bearer: bool) -> bool:
        """Answer one request; True if the connection has become a stream and is over."""
        if request.path == "/healthz":
            await incoming.answer(200, JSON, self._health())
        elif request.path == gate.SCRIPT:
            headers = [(b"content-type", b"text/javascript"), *NO_STORE]
            await incoming.answer(200, headers, gate.script())
        elif self._host and (known := self._host.answer(request.path)):
            status, headers, body = known
            token = None if bearer else self._token_for(request)
            if token is not None and h.get(headers, b"content-type").startswith("text/html"):
                body = gate.with_token(body, request.path, token)
            await incoming.answer(status, headers, body if request.method != "HEAD" else b"")
        else:
            if request.path == "/signaling":
                request = replace(request, path=self._signaling_path)
            is_stream = h.is_websocket(request.headers)
            if self._host and (why := self._host.refusal(request.method, request.path, is_stream)):
                await reply_page(incoming, request, 403, why)
                return incoming.unread()
            return await self._relay(incoming, request, bearer)
        return incoming.unread()

    def _token_for(self, request: Request) -> str | None:
        """What a page of the host's is given on its way; None: it is passed on as it is."""
        if gate.first_of(request.path) == "api":  # no page
            return None
        if gate.is_page(request):
            return self._token
        return "" if gate.is_frame(request) else None

    def _health(self) -> bytes:
        known: dict[str, Any] = {"status": "ok" if self._target() else "starting"}
        if self._host:
            known |= {**self._host.health(), "waiting": self._turns.waiting}
        return json.dumps(known).encode()

    async def _relay(self, incoming: Incoming, request: Request, bearer: bool) -> bool:
        try:
            if h.is_websocket(request.headers):
                return await self._stream(incoming, request)
            target = self._there()
            token = None if bearer else self._token_for(request)
            if token is not None:
                await relay_page(incoming, request, target, token)
            elif self._starts(request):
                await self._start(incoming, request)
            else:
                await relay_exchange(incoming, request, target)
        except UpstreamError as e:
            log.warning("%s %s: %s", request.method, request.path, e)
            if incoming.wire.transport.is_closing():
                return True
            with contextlib.suppress(h11.LocalProtocolError):  # the answer had begun already
                page = self._host.absence if self._host else _AWAY
                await reply_page(incoming, request, 502, page)
                return incoming.unread()
            return True
        return incoming.unread()

    async def _stream(self, incoming: Incoming, request: Request) -> bool:
        """Join browser and host, where needed when it is this stream's turn to start."""
        with self.watching:
            return await self._joined(incoming, request)

    async def _joined(self, incoming: Incoming, request: Request) -> bool:
        host = self._host
        if host is None:
            return await relay_stream(incoming, request, self._there())
        async with host.around_stream(request.path):
            if not host.one_start_at_a_time:
                return await relay_stream(incoming, request, self._there())
            return await self._in_turn(incoming, request, host)

    async def _in_turn(self, incoming: Incoming, request: Request, host: Local) -> bool:
        turn = await self._turns.take(host.begun)
        try:
            if incoming.wire.transport.is_closing():  # tired of waiting
                return True
            return await relay_stream(incoming, request, self._there(), turn.hear)
        finally:
            turn.end()

    def _starts(self, request: Request) -> bool:
        host = self._host
        return bool(
            host and host.one_start_at_a_time and host.starts_stream(request.method, request.path)
        )

    async def _start(self, incoming: Incoming, request: Request) -> None:
        """Pass a request on that starts a stream, when it is its turn; the answer is the end of it."""
        turn = await self._turns.take(lambda kind, data: False)
        try:
            if not incoming.wire.transport.is_closing():
                await relay_exchange(incoming, request, self._there())
        finally:
            turn.end()

    def _there(self) -> Target:
        target = self._target()
        if target is None:
            raise UpstreamError("the streaming host is starting again")
        return target
