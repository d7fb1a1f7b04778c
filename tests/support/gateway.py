"""The gateway of a session as its user's Jupyter reaches it: TLS, pinned, with the bearer."""

from __future__ import annotations

import asyncio
import http.client
import json
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.cli import Session, UserCli
from tests.support.waiting import PATIENCE

_VIDEO, _AUDIO = 2, 3  # first byte of moonlight-web's messages (v2)


class SessionGateway:
    """Talks to the gateway of a running session."""

    def __init__(self, cli: UserCli, session: Session):
        self._read(cli.directory(session["session_id"]))

    @classmethod
    def of(cls, directory: Path) -> SessionGateway:
        """That of the session with this directory."""
        gateway = cls.__new__(cls)
        gateway._read(directory)
        return gateway

    def _read(self, directory: Path) -> None:
        self.directory = directory
        status = json.loads((self.directory / "status.json").read_text())
        self.token = (self.directory / "token").read_text().strip()
        self._port = int(status["gateway"]["port"])
        self._tls = ssl.create_default_context(cadata=status["gateway"]["certificate"])
        self._tls.check_hostname = False

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def request(
        self, path: str, method: str = "GET", body: Any = None, token: bool = True
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and body."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, context=self._tls, timeout=PATIENCE
        )
        headers = {"Authorization": f"Bearer {self.token}"} if token else {}
        data = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def json(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        status, _, data = self.request(path, method, body)
        return status, json.loads(data)

    def video(self, path: str, app: int, frames: int) -> int:
        """Stream as moonlight-web's page (v2) does; gives the number of video messages."""
        return asyncio.run(asyncio.wait_for(self._stream(path, app, frames), PATIENCE))

    def asks(self, path: str) -> ssl.SSLSocket:
        """A connection on which a stream is asked for, of which nothing more is said."""
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        secure = self._tls.wrap_socket(connection)
        head = f"GET {path} HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {self.token}\r\n"
        head += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        secure.sendall(f"{head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        assert b" 101 " in secure.recv(4096).split(b"\r\n")[0]
        return secure

    def sounds(self, path: str, app: int) -> Iterator[int]:
        """The loudest sample of each packet of sound, while the caller listens."""
        for message in self._messages(path, app):
            if message[0] == _AUDIO:
                yield int.from_bytes(message[1:3], "big")

    def pictures(self, path: str, app: int) -> Iterator[bytes]:
        """Video messages; the stream goes on until the caller closes this."""
        return (message for message in self._messages(path, app) if message[0] == _VIDEO)

    def _messages(self, path: str, app: int) -> Iterator[bytes]:
        messages: queue.Queue[bytes | None] = queue.Queue()
        enough = threading.Event()

        def heard(message: bytes) -> bool:
            messages.put(message)
            return enough.is_set()

        def listen() -> None:
            try:
                asyncio.run(asyncio.wait_for(self._listen(path, app, heard), PATIENCE))
            finally:
                messages.put(None)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            while (message := messages.get(timeout=PATIENCE)) is not None:
                yield message
        finally:
            enough.set()
            thread.join(PATIENCE)

    async def _stream(self, path: str, app: int, frames: int) -> int:
        seen = 0

        def enough(message: bytes) -> bool:
            nonlocal seen
            seen += message[0] == _VIDEO
            return seen == frames

        said = await self._listen(path, app, enough)
        assert seen == frames, f"{seen} frames came; it said {said}"
        return seen

    async def _listen(self, path: str, app: int, enough: Callable[[bytes], bool]) -> list[str]:
        init = {"host_id": 1, "app_id": app, "video_frame_queue_size": 3}
        settings = {"width": 1280, "height": 720, "fps": 30, "bitrate_kbps": 10000, "hdr": False}
        settings |= {"play_audio_local": False, "supported_codecs": 1}
        said: list[str] = []
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(headers=headers) as client:
            url = f"https://127.0.0.1:{self._port}{path}"
            async with client.ws_connect(url, ssl=self._tls) as ws:
                await ws.send_json({"Init": {**init, "audio_sample_queue_size": 9}})
                async for message in ws:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        said.append(message.data)
                    if message.type is aiohttp.WSMsgType.TEXT and "Setup" in message.data:
                        await ws.send_json({"SetTransport": "WebSocket"})
                        await ws.send_json({"StartStream": {"settings": settings}})
                    elif message.type is aiohttp.WSMsgType.BINARY and enough(message.data):
                        break
        return said
