"""A node shows that it lives whatever its parts do."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_spawner.agent import supervise

from tests.support.waiting import PATIENCE


def test_an_x_server_that_hangs_silences_no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "_BEAT_SECONDS", 0.01)

    async def check() -> None:
        beats = asyncio.Semaphore(0)
        hangs = asyncio.Event()

        async def wait(*_: Any) -> Any:
            hangs.set()
            await asyncio.Event().wait()

        child = SimpleNamespace(pid=0, running=True, wait=wait)
        x: Any = SimpleNamespace(child=child, size=wait, window_manager_present=wait)
        says: Any = SimpleNamespace(screen="1x1")
        status: Any = SimpleNamespace(status=says, write=beats.release, note=None)
        desktop: Any = SimpleNamespace(
            child=child, bus=None, pids=set(), manager=None, managed=False
        )
        host: Any = SimpleNamespace(children=[child])
        sound: Any = SimpleNamespace(child=None)
        session = supervise.Supervisor(x, sound, desktop, host, status)
        watching = asyncio.ensure_future(session.watch())
        await asyncio.wait_for(hangs.wait(), PATIENCE)
        for _ in range(3):
            await asyncio.wait_for(beats.acquire(), PATIENCE)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    asyncio.run(check())
