"""A part that ends is started again at once, then after growing pauses, then when somebody looks."""

from __future__ import annotations

import asyncio

import pytest
from moonlight_spawner.agent import retries as module
from moonlight_spawner.agent.retries import Retries


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
