"""Streams that start one after the other, and how it is seen that one has started."""

from __future__ import annotations

import asyncio

import pytest
from moonlight_spawner.agent.gateway import turns as module
from moonlight_spawner.agent.gateway.turns import Turns
from moonlight_spawner.relay.messages import Beginnings

from tests.support.waiting import PATIENCE

TEXT, BINARY, PING = 1, 2, 9


def frame(kind: int, data: bytes, final: bool = True) -> bytes:
    size = len(data)
    wide = size >= 1 << 16
    longer = bytes([126 + wide]) + size.to_bytes(8 if wide else 2, "big")
    length = bytes([size]) if size < 126 else longer
    return bytes([final << 7 | kind]) + length + data


SAID = [
    frame(TEXT, b'{"Setup":{}}'),
    frame(BINARY, b"\x01" + b"s" * 300),
    frame(BINARY, b""),
    frame(PING, b"?"),
    frame(BINARY, b"\x02" + b"v" * 70000),
    frame(TEXT, b'{"Debug', final=False) + frame(0, b'Log":1}'),
    frame(TEXT, b"end"),
]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000, 1 << 20])
def test_how_each_message_begins_is_told_once_however_the_bytes_come(step: int) -> None:
    wire, read = b"".join(SAID), Beginnings()
    told = [one for at in range(0, len(wire), step) for one in read.of(wire[at : at + step])]
    assert [(kind, data[:7]) for kind, data in told] == [
        (TEXT, b'{"Setup'),
        (BINARY, b"\x01ssssss"),
        (BINARY, b""),
        (PING, b"?"),
        (BINARY, b"\x02vvvvvv"),
        (TEXT, b'{"Debug'),
        (TEXT, b"end"),
    ]
    assert told[1][1] == b"\x01" + b"s" * 300 and told[5][1] == b'{"DebugLog":1}'
    assert len(told[4][1]) < 10_000, "the beginning alone is kept"


def video(kind: int, data: bytes) -> bool:
    return kind == BINARY and data[:1] == b"\x02"


def test_the_next_begins_with_the_picture_of_the_one_before() -> None:
    async def check() -> None:
        turns = Turns()
        first = await turns.take(video)
        second = asyncio.ensure_future(turns.take(video))
        third = asyncio.ensure_future(turns.take(video))
        await asyncio.sleep(0)
        assert turns.waiting == 2
        assert first.hear(b"".join(SAID[:4])) and not second.done()
        await asyncio.sleep(0)
        assert not second.done()
        assert not first.hear(SAID[4]), "and nobody reads any longer what it says"
        turn = await asyncio.wait_for(second, PATIENCE)
        first.end()  # its connection ends, long after: that is nothing to the others
        await asyncio.sleep(0)
        assert not third.done() and turns.waiting == 1
        turn.end()
        (await asyncio.wait_for(third, PATIENCE)).end()
        assert turns.waiting == 0

    asyncio.run(check())


def test_a_start_that_is_stuck_holds_the_next_for_a_while_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LONGEST_SECONDS", 0.05)

    async def check() -> None:
        turns = Turns()
        stuck = await turns.take(video)
        (await asyncio.wait_for(turns.take(video), PATIENCE)).end()
        assert not stuck.hear(SAID[0])
        stuck.end()
        (await asyncio.wait_for(turns.take(video), PATIENCE)).end()

    asyncio.run(check())


def test_who_is_tired_of_waiting_holds_nobody() -> None:
    async def check() -> None:
        turns = Turns()
        first = await turns.take(video)
        tired = asyncio.ensure_future(turns.take(video))
        await asyncio.sleep(0)
        tired.cancel()
        await asyncio.gather(tired, return_exceptions=True)
        assert turns.waiting == 0
        first.end()
        (await asyncio.wait_for(turns.take(video), PATIENCE)).end()

    asyncio.run(check())
