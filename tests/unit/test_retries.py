"""A part that ends is started again at once, then after growing pauses, then when somebody looks."""

from __future__ import annotations

import asyncio

import pytest
from moonlight_spawner.agent import retries as module
from moonlight_spawner.agent.retries import Retries

from tests.support.waiting import PATIENCE, STILL


def test_the_pauses_grow_and_a_long_run_forgives_all() -> None:
    time = [0.0]
    retries = Retries(lambda: time[0])
    pauses = []
    for _ in range(12):
        time[0] += 1
        retries.ended()
        pauses.append(retries.pause)
        retries.start()
    assert pauses[:6] == [0, 0, 0, 15, 30, 60]
    assert pauses == sorted(pauses) and pauses[-1] == 600 == max(pauses)
    time[0] += 301
    retries.ended()
    assert not retries.often and retries.pause == 0


def test_who_looks_ends_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._BETWEEN_SECONDS >= 3, "a page asks as often"
    monkeypatch.setattr(module, "_BETWEEN_SECONDS", 0.3)

    async def looked_at() -> float:
        retries = Retries()
        for _ in range(20):
            retries.ended()
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, retries.want)
        began = loop.time()
        await retries.wait()
        return loop.time() - began

    assert asyncio.run(looked_at()) < 600


def test_what_ran_for_a_while_is_started_at_once_for_who_looks_however_often_it_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only a start right after the last one has to wait, not one right after an end."""
    monkeypatch.setattr(module, "_BETWEEN_SECONDS", 600.0)
    time = [0.0]

    async def looked_at() -> None:
        retries = Retries(lambda: time[0])
        for _ in range(4):
            retries.ended()
        retries.start()
        for lasted, waits in ((601.0, False), (2.0, True)):
            time[0] += lasted
            waiting = asyncio.ensure_future(retries.wait())
            await asyncio.sleep(0)
            retries.want()
            _, pending = await asyncio.wait({waiting}, timeout=STILL if waits else PATIENCE)
            assert bool(pending) is waits
            waiting.cancel()
            retries.start()

    monkeypatch.setattr(module, "_LONGEST_PAUSE_SECONDS", 10_000.0)
    monkeypatch.setattr(module, "_FIRST_PAUSE_SECONDS", 10_000.0)
    asyncio.run(looked_at())
