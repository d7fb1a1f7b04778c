"""A stream is agreed upon end to end: the gateway neither offers nor takes anything itself."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_websocket
from websockets.asyncio.server import serve

from tests.support.waiting import PATIENCE

from .gateway_process import TOKEN, RunningGateway, running_gateway
from .wires import UPGRADE, FakeHost, ask, get, headers_of


@pytest.mark.parametrize("offer", [True, False], ids=["deflate", "plain frames"])
def test_a_real_client_and_a_real_server_agree_with_each_other(
    host_path: Path, offer: bool
) -> None:
    """Extensions and subprotocols are negotiated end to end, and every message arrives."""
    messages: list[Any] = [
        "text",
        "한국어",
        b"",
        b"\x00" * 100_000,
        os.urandom(300_000),
        "x" * 70_000,
    ]

    async def talk(gateway: RunningGateway) -> tuple[list[Any], Any, str | None]:
        async def echo(connection: Any) -> None:
            async for message in connection:
                await connection.send(message)

        context = ssl.create_default_context(cadata=gateway.certificate)
        context.check_hostname = False
        server = await serve(echo, sock=_listen(path), subprotocols=["b", "c"], max_size=None)
        async with server:
            async with connect_websocket(
                f"wss://127.0.0.1:{gateway.port}/api/websockets",
                ssl=context,
                server_hostname="",
                additional_headers={"Authorization": f"Bearer {TOKEN}"},
                subprotocols=["a", "b"],
                compression="deflate" if offer else None,
                max_size=None,
                proxy=None,
            ) as client:
                answers = []
                for message in messages:
                    await client.send(message)
                    answers.append(await client.recv())
                await (await client.ping())
                names = [e.name for e in client.protocol.extensions]
                return answers, names, client.subprotocol

    path = f"{host_path}.{offer}"
    with running_gateway(path) as gateway:
        answers, extensions, subprotocol = asyncio.run(asyncio.wait_for(talk(gateway), PATIENCE))
    assert answers == messages
    assert extensions == (["permessage-deflate"] if offer else [])
    assert subprotocol == "b"


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    return listener


def test_the_handshake_passes_as_the_browser_wrote_it(
    gateway: RunningGateway, host: FakeHost
) -> None:
    more = "Sec-WebSocket-Extensions: permessage-deflate; x=1, odd\r\nUser-Agent: me\r\n"
    ask(gateway, get("/s?a=b", UPGRADE, more, "Sec-WebSocket-Protocol: a, b\r\n"))
    told = headers_of(host.last)
    assert host.lines == ["GET /s?a=b HTTP/1.1"]
    assert sorted(n for n, _ in told) == sorted(
        ["host", "sec-websocket-version", "sec-websocket-key", "sec-websocket-extensions",
         "sec-websocket-protocol", "user-agent", "connection", "upgrade", "x-host-secret"]
    )  # fmt: skip
    assert ("sec-websocket-extensions", "permessage-deflate; x=1, odd") in told
    assert ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==") in told
