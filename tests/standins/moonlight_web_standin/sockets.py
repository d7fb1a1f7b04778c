"""The WebSockets of a stream. Ping frames are never answered, as with the real server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from ..client import GameStreamError
from ..client_stream import Stream, StreamFailed
from .stream import begin_v3

if TYPE_CHECKING:
    from .server import WebServer

_LINE = 1 << 22


def _socket() -> web.WebSocketResponse:
    return web.WebSocketResponse(
        autoping=False, compress=False, heartbeat=None, max_msg_size=1 << 22
    )


async def _fail(socket: web.WebSocketResponse, message: str) -> web.WebSocketResponse:
    await socket.send_json({"DebugLog": {"message": message, "ty": "fatalDescription"}})
    await socket.close()
    return socket


async def stream_v2(
    server: WebServer, user: dict[str, Any], request: web.Request
) -> web.StreamResponse:
    """``Init`` first, then a ``streamer`` process that speaks through this socket."""
    socket = _socket()
    await socket.prepare(request)
    first = await _first_text(socket, None)
    init = (first or {}).get("Init")
    if not isinstance(init, dict):
        await socket.close()
        return socket
    try:
        host = server.host(user, int(init["host_id"]))
        client = server.client(user, host)
    except web.HTTPNotFound:
        return await _fail(socket, "Failed to start stream because the host was not found")
    except web.HTTPForbidden:
        return await _fail(socket, "Failed to start stream because the host is not paired")
    except (KeyError, ValueError):
        await socket.close()
        return socket
    try:
        apps = await asyncio.to_thread(client.apps)
    except (OSError, GameStreamError):
        return await _fail(socket, "Failed to start stream because of a server error")
    app = next((a for a in apps if a.id == init["app_id"]), None)
    if app is None:
        return await _fail(socket, "Failed to start stream because the app was not found")
    shown = {"app_id": app.id, "title": app.title, "is_hdr_supported": False}
    await socket.send_json({"UpdateApp": {"app": shown}})
    await socket.send_json({"DebugLog": {"message": "Launching streamer", "ty": None}})
    try:
        child = await asyncio.create_subprocess_exec(
            server.config["streamer_path"],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE,
        )
    except OSError:
        return await _fail(socket, "Failed to start stream because of a server error")
    given = {
        **host,
        "client_unique_id": user["client_unique_id"],
        "app_id": app.id,
        "permissions": server.data.role_of(user)["permissions"],
        "ice_servers": server.config["webrtc"]["ice_servers"],
    }
    try:
        await _tell(child, {"init": given})
        outward = asyncio.create_task(_outward(child, socket))
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                try:
                    await _tell(child, {"text": json.loads(message.data)})
                except ValueError:
                    break
            elif message.type is WSMsgType.BINARY:
                await _tell(child, {"binary": base64.b64encode(message.data).decode()})
        outward.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    return socket


async def _tell(child: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
    assert child.stdin is not None
    with contextlib.suppress(ConnectionError):
        child.stdin.write(json.dumps(message).encode() + b"\n")
        await child.stdin.drain()


async def _outward(child: asyncio.subprocess.Process, socket: web.WebSocketResponse) -> None:
    assert child.stdout is not None
    while line := await child.stdout.readline():
        message = json.loads(line)
        try:
            if "binary" in message:
                await socket.send_bytes(base64.b64decode(message["binary"]))
            else:
                await socket.send_json(message["text"])
        except (ConnectionError, RuntimeError):
            return
    await socket.close()


async def stream_v3(
    server: WebServer, user: dict[str, Any], request: web.Request
) -> web.StreamResponse:
    """One ``Request`` within 10 s, then ``Response`` and frames; ``Ping`` is echoed."""
    if not server.data.role_of(user)["permissions"]["allow_transport_websockets"]:
        raise web.HTTPForbidden(text="forbidden")
    socket = _socket()
    await socket.prepare(request)
    wanted = ((await _first_text(socket, 10)) or {}).get("Request")
    if not isinstance(wanted, dict):
        await socket.close()
        return socket
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[dict[str, Any] | bytes] = asyncio.Queue()

    def send(message: dict[str, Any] | bytes) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, message)

    stream: Stream | None = None
    try:
        host = server.host(user, int(wanted["host_id"]))
        server.client(user, host)
        permissions = server.data.role_of(user)["permissions"]
        unique = user["client_unique_id"]
        given = {**host, "client_unique_id": unique, "permissions": permissions}
        stream = await asyncio.to_thread(begin_v3, given, wanted, send)
    except (web.HTTPException, KeyError, ValueError, OSError, GameStreamError, StreamFailed):
        await socket.close()
        return socket
    outward = asyncio.create_task(_drain(queue, socket, stream))
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            with contextlib.suppress(ValueError, AttributeError):
                ping = json.loads(message.data).get("Stats", {}).get("Ping")
                if ping is not None:
                    send({"Stats": {"Pong": ping}})
    stream.stop()
    outward.cancel()
    return socket


async def _drain(
    queue: asyncio.Queue[dict[str, Any] | bytes], socket: web.WebSocketResponse, stream: Stream
) -> None:
    told = 0.0
    loop = asyncio.get_running_loop()
    while not stream.ended.is_set():
        if loop.time() - told > 1:
            told = loop.time()
            await socket.send_json({"Stats": {"RelayRtt": {"rtt_ms": 0, "rtt_variance_ms": 0}}})
        try:
            message = await asyncio.wait_for(queue.get(), 0.5)
        except asyncio.TimeoutError:
            continue
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_json(message)
    await socket.close()


async def _first_text(
    socket: web.WebSocketResponse, timeout: float | None
) -> dict[str, Any] | None:
    while True:
        try:
            message = await socket.receive(timeout)
        except asyncio.TimeoutError:
            return None
        if message.type is WSMsgType.TEXT:
            try:
                found = json.loads(message.data)
            except ValueError:
                return None
            return found if isinstance(found, dict) else None
        if message.type not in {WSMsgType.PING, WSMsgType.PONG}:
            return None
