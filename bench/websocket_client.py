"""What one route to the echo server does to messages: seen by a WebSocket client."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect

from .echo_server import STAMP


@dataclass(frozen=True)
class Route:
    """A way to the echo server. ``pids`` are the processes in between."""

    name: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    pids: tuple[int, ...] = ()

    def connect(self) -> connect:
        return connect(
            self.url,
            additional_headers=self.headers,
            ssl=self.tls,
            compression=None,
            max_size=None,
            open_timeout=20,
            close_timeout=1,
        )


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


async def echo_ms(route: Route, size: int, count: int) -> list[float]:
    """Round trips of ``count`` messages, one after the other."""
    message = bytes(size)
    times = []
    async with route.connect() as connection:
        await _wish(connection, do="echo")
        for turn in range(count + 20):
            began = time.perf_counter()
            await connection.send(message)
            await connection.recv()
            if turn >= 20:
                times.append((time.perf_counter() - began) * 1e3)
    return times


async def push_mb_per_s(route: Route, size: int, seconds: float) -> float:
    """What comes through when the server sends as fast as it can, 10^6 bytes a second."""
    async with route.connect() as connection:
        await _wish(connection, do="push", size=size)
        for _ in range(50):
            await connection.recv()
        received, began = 0, time.perf_counter()
        while (now := time.perf_counter()) - began < seconds:
            received += len(await connection.recv())
        connection.transport.abort()
    return received / (now - began) / 1e6


async def tick_ms(
    route: Route, sockets: int, size: int, hertz: float, seconds: float
) -> list[float]:
    """Age of messages at their arrival, ``sockets`` connections at once."""
    return [
        age
        for ages in await asyncio.gather(
            *(_ages(route, size, hertz, seconds) for _ in range(sockets))
        )
        for age in ages
    ]


async def _ages(route: Route, size: int, hertz: float, seconds: float) -> list[float]:
    ages = []
    async with route.connect() as connection:
        await _wish(connection, do="tick", size=size, hertz=hertz)
        until = time.monotonic() + seconds + 0.5
        while (now := time.monotonic()) < until:
            data = await connection.recv()
            if now > until - seconds:  # all sockets are open and warm
                ages.append((time.monotonic_ns() - STAMP.unpack_from(data)[0]) / 1e6)
    return ages


async def _wish(connection: ClientConnection, **wish: object) -> None:
    await connection.send(json.dumps(wish))
