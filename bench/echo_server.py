"""A WebSocket server that does what the client's first message says. ``python -m bench.echo_server``

``echo``: every message comes back. ``push``: messages of ``size`` bytes as fast as they go.
``tick``: messages of ``size`` bytes, ``hertz`` times a second, that begin with the time of their
sending (nanoseconds of the monotonic clock, which all processes of a machine share).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import ssl
import struct
import tempfile
import time
from pathlib import Path

from moonlight_spawner.agent.node.certificate import make_certificate
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

STAMP = struct.Struct("!Q")


async def answer(connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        wish = json.loads(await connection.recv())
        if wish["do"] == "echo":
            async for message in connection:
                await connection.send(message)
        elif wish["do"] == "push":
            await _push(connection, bytes(wish["size"]))
        elif wish["do"] == "tick":
            await _tick(connection, wish["size"], wish["hertz"])


async def _push(connection: ServerConnection, message: bytes) -> None:
    while True:
        for _ in range(16):
            await connection.send(message)
        # To a connection that was lost, send() neither waits nor fails until the loop has run.
        await asyncio.sleep(0)


async def _tick(connection: ServerConnection, size: int, hertz: float) -> None:
    loop = asyncio.get_running_loop()
    padding = bytes(size - STAMP.size)
    due = loop.time() + random.random() / hertz  # sockets of real users are not in step
    while True:
        await asyncio.sleep(due - loop.time())
        due += 1 / hertz
        await connection.send(STAMP.pack(time.monotonic_ns()) + padding)


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.echo_server", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("tls_port", type=int)
    ports = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlb-") as directory:
        tls, _ = make_certificate(Path(directory), "echo")
    async with _listen(ports.port, None), _listen(ports.tls_port, tls):
        await asyncio.get_running_loop().create_future()


def _listen(port: int, tls: ssl.SSLContext | None) -> serve:
    return serve(answer, "127.0.0.1", port, ssl=tls, compression=None, max_size=None)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
