"""Answers that are made to cost who reads them: a session's gateway is its user's, and a portal's service
reads it among those of all others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moonlight_jupyter.node import NodeHandler
from moonlight_spawner.model.errors import UserSideBusy
from moonlight_spawner.portal.user_side import UserSideManager
from moonlight_spawner.relay.upstream import Exchange, Target, UpstreamError, call
from moonlight_spawner.sessions.control import control, status_of
from moonlight_spawner.sessions.reach import Reach
from moonlight_spawner.site.options import MoonlightSite

from .wires import FakeHost, answers

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\n\r\n"
CHUNKS = 20_000
# More than a user may owe for the reading of his answers, which is paid for in waiting.
_TOO_LONG = 1.5


@pytest.fixture
def host() -> Iterator[FakeHost]:
    host = FakeHost()
    yield host
    host.close()


def target_of(host: FakeHost) -> Target:
    return Target(addresses=("127.0.0.1",), port=host.port)


def with_body(value: Any, status: int = 200) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def test_a_body_in_tiny_chunks_is_few_parts_and_others_have_their_turn(
    host: FakeHost, each_loop: str
) -> None:
    host.behave = answers(CHUNKED + b"1\r\nx\r\n" * CHUNKS + b"0\r\n\r\n")

    async def read() -> tuple[list[bytes], int]:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        exchange = await Exchange.begin(target_of(host), b"GET", b"/", [])
        await exchange.finish()
        await exchange.head()
        other = asyncio.ensure_future(others())
        parts = [part async for part in exchange.body()]
        other.cancel()
        exchange.close()
        assert exchange.pieces == CHUNKS
        return parts, turns

    parts, turns = asyncio.run(read())
    assert b"".join(parts) == b"x" * CHUNKS
    assert len(parts) < CHUNKS // 20 and turns > CHUNKS // 200


def test_a_small_answer_is_not_put_together_from_thousands_of_pieces(host: FakeHost) -> None:
    host.behave = answers(CHUNKED + b"1\r\n \r\n" * CHUNKS + b"2\r\n{}\r\n0\r\n\r\n")
    with pytest.raises(UpstreamError, match="too many pieces"):
        asyncio.run(call(target_of(host), "GET", "/", []))
    assert asyncio.run(status_of(target_of(host))) is None


def test_who_only_says_that_an_answer_will_come_is_left(host: FakeHost) -> None:
    host.behave = answers(HINTS * CHUNKS)
    with pytest.raises(UpstreamError, match="again and again"):
        asyncio.run(call(target_of(host), "GET", "/", []))
    host.behave = answers(HINTS * 3 + with_body({}))
    assert asyncio.run(call(target_of(host), "GET", "/", [])) == (200, b"{}")


@pytest.mark.parametrize(
    "body", [b"[1]", b"7", b"null", b"[" * 100_000, b'{"a": ' * 100_000, b"\xff", b""]
)
def test_an_answer_is_an_object_or_none(host: FakeHost, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    host.behave = answers(head + body)
    with pytest.raises(UpstreamError, match="no object of JSON"):
        asyncio.run(control(target_of(host), "GET", "/clipboard"))


def test_to_read_an_answer_is_counted(host: FakeHost) -> None:
    read = []

    @contextlib.contextmanager
    def reading() -> Iterator[None]:
        read.append(host.lines[-1])
        yield

    host.behave = answers(with_body({"phase": "running"}))
    found = asyncio.run(status_of(target_of(host), reading))
    assert found and found.phase == "running"
    assert read == ["GET /control/status HTTP/1.1"] * 2, "the JSON, and what is in it"


class Asked(NodeHandler):
    """The handler of a portal, asked by alice."""

    def __init__(self, manager: UserSideManager, target: Target):
        self._manager, self._target = manager, target
        self.said: list[Any] = []

    user = "alice"

    @property
    def manager(self) -> Any:
        return self._manager

    async def reach(self, session_id: str) -> Reach:
        return Reach(self._target, None)

    def finish(self, chunk: Any = None) -> Any:
        self.said.append(chunk)

    def refuse(self, status: int, code: str, message: str, fields: Any = None) -> None:
        self.said.append((status, code, message, fields))


def test_what_a_gateway_answers_is_read_at_the_cost_of_its_user(host: FakeHost) -> None:
    async def ask() -> list[Any]:
        manager = UserSideManager(MoonlightSite(scheduler="local"))
        handler = Asked(manager, target_of(host))
        began = asyncio.get_running_loop().time()
        for value, status in (({"text": ["x"] * 100_000}, 200), ({"error": "x"}, 404)):
            host.behave = answers(with_body(value, status))
            await handler.ask("ml-alice-aaaaaaaaaa", "GET", "/clipboard")
        assert manager._sides._of("alice").paid_at > began
        assert manager._sides._of("bob").paid_at == 0
        with manager._sides.reading("alice"):
            time.sleep(_TOO_LONG)
        with pytest.raises(UserSideBusy, match="alice's side and sessions have answered took"):
            await handler.ask("ml-alice-aaaaaaaaaa", "GET", "/clipboard")
        await manager.close()
        return handler.said

    whole, refused = asyncio.run(ask())
    assert len(whole["text"]) == 100_000 and refused == (404, "not_found", "", None)
    assert len(host.lines) == 2, "who owes too much is not asked for more"
