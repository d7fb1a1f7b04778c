"""HTTP as bytes over a socket: what no client library would send, and nothing retried or decoded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h11

from tests.support.waiting import PATIENCE


def strict(text: bytes | str) -> Any:
    """JSON as a browser reads it: NaN and Infinity are no JSON."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON: {text!r}")

    return json.loads(text, parse_constant=refuse)


@dataclass(frozen=True)
class Answer:
    """``whole`` is False if the connection ended before the body did."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    whole: bool = True

    def header(self, name: str) -> str:
        return ", ".join(value for n, value in self.headers if n == name.lower())

    @property
    def json(self) -> Any:
        assert self.header("content-type").startswith("application/json"), self
        return strict(self.body)

    @property
    def code(self) -> str:
        """The error's word, or what is there in its place."""
        return str(self.json["error"]["code"])


async def exchange(
    port: int,
    method: str,
    target: str | bytes,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """One request with exactly this target on a connection of its own."""
    target = target if isinstance(target, bytes) else target.encode("latin-1")
    fields = {"Host": f"127.0.0.1:{port}", "Connection": "close", **(headers or {})}
    if (body or method in ("POST", "PUT", "PATCH")) and "Transfer-Encoding" not in fields:
        fields.setdefault("Content-Length", str(len(body)))
    lines = [f"{name}: {value}".encode("latin-1") for name, value in fields.items()]
    head = b"\r\n".join([method.encode() + b" " + target + b" HTTP/1.1", *lines]) + b"\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head + body)
        return await asyncio.wait_for(_read(reader, method), PATIENCE)
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader, method: str) -> Answer:
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    http.send(h11.EndOfMessage())
    response: h11.Response | None = None
    body = b""
    while True:
        try:
            event = http.next_event()
        except h11.RemoteProtocolError:
            assert response is not None, "the connection ended without an answer"
            return _answer(response, body, whole=False)
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert response is not None
            return _answer(response, body, whole=True)
        else:
            assert isinstance(event, h11.InformationalResponse), event


def _answer(response: h11.Response, body: bytes, whole: bool) -> Answer:
    headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers]
    return Answer(response.status_code, headers, body, whole)
