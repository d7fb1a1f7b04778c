"""A Redis that is followed by another (Sentinel), and a stream through a service that has the one and then
the other."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.support.redis import RedisServer, redis_server
from tests.support.waiting import PATIENCE, wait_for

# As quick as it goes: who has not answered for so long is followed by the other.
_DOWN_MILLISECONDS = 1000


@dataclass(frozen=True)
class Followed:
    """A master, its copy, and who watches both."""

    master: RedisServer
    copy: RedisServer
    sentinel: RedisServer


@contextlib.contextmanager
def followed() -> Iterator[Followed]:
    soon = ("repl-diskless-sync-delay 0",)
    word = secrets.token_urlsafe(24)
    both = (*soon, f'masterauth "{word}"')  # each may follow the other
    with redis_server(*both, password=word) as master:
        follow = f"replicaof 127.0.0.1 {master.port}"
        with redis_server(*both, follow, password=word) as copy, copy.client() as client:
            wait_for(lambda: client.info("replication")["master_link_status"] == "up")
            watch = (
                f"sentinel monitor desks 127.0.0.1 {master.port} 1",
                f'sentinel auth-pass desks "{word}"',
                f"sentinel down-after-milliseconds desks {_DOWN_MILLISECONDS}",
            )
            with redis_server(*watch, sentinel=True, password=word) as sentinel:
                with sentinel.client() as asked:
                    wait_for(lambda: asked.execute_command("SENTINEL", "REPLICAS", "desks"))
                yield Followed(master, copy, sentinel)


async def stream_of(client: httpx.Client, web_url: str) -> WebSocketClientConnection:
    """A desktop's stream, by whom ``client`` is."""
    address = str(client.base_url).replace("http:", "ws:").rstrip("/")
    path = f"{web_url}desktop/api/websockets"
    login = {"Authorization": client.headers["Authorization"]}
    request = HTTPRequest(address + path, headers=login)
    return await websocket_connect(request, on_message_callback=lambda _: None)


async def carries(stream: WebSocketClientConnection) -> None:
    """There and back again: the streaming host answers."""
    back: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def came(data: bytes) -> None:
        if not back.done():
            back.set_result(data)

    stream.on_pong = came  # type: ignore[method-assign]
    stream.ping(b"there")
    assert await asyncio.wait_for(back, PATIENCE) == b"there"
