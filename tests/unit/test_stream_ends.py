"""A stream that ends again and again costs no session: it starts again, after pauses, and that is said."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_spawner.agent import retries, supervise

from tests.support.waiting import PATIENCE


class Host:
    """Ends at once, ``ends`` times; every second start fails."""

    def __init__(self, ends: int, status: Any):
        self.away, self.pausing, self.restarts = False, False, 0
        self.left, self.status = ends, status
        self.lives = asyncio.Event()
        self.seen: list[tuple[bool, bool]] = []

    @property
    def child(self) -> Any:
        return SimpleNamespace(pid=0, running=True, wait=self._wait, last_words=lambda: "words")

    @property
    def children(self) -> list[Any]:
        return [self.child]

    async def _wait(self) -> int:
        if self.left <= 0:
            self.lives.set()
            await asyncio.Event().wait()
        return -11

    async def restart(self) -> None:
        self.left -= 1
        self.seen.append((self.away, self.pausing))
        if self.left % 2:
            raise OSError(28, "No space left on device")
        self.status.status.sunshine_port = 48021


def test_a_fourth_end_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_BETWEEN_SECONDS", 0.01)
    monkeypatch.setattr(retries, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(supervise, "_SETTLE_SECONDS", 0)
    notes: list[str] = []

    async def check() -> None:
        async def wait(*_: Any) -> Any:
            await asyncio.Event().wait()

        def note(text: str, instead_of: str = "") -> None:
            notes[:] = [one for one in notes if one != instead_of] + [text]
            assert len(notes) == 1

        other = SimpleNamespace(pid=0, running=True, wait=wait)
        status: Any = SimpleNamespace(note=note, status=SimpleNamespace(sunshine_port=47994))
        x: Any = SimpleNamespace(child=other, window_manager_present=wait)
        desktop: Any = SimpleNamespace(
            child=other, bus=None, pids=set(), manager=None, managed=False
        )
        host: Any = Host(8, status)
        sound: Any = SimpleNamespace(child=None)
        watching = asyncio.ensure_future(
            supervise.Supervisor(x, sound, desktop, host, status).watch()
        )
        await asyncio.wait_for(host.lives.wait(), PATIENCE)
        assert not watching.done()
        assert all(away for away, _ in host.seen)
        assert [pausing for _, pausing in host.seen] == [False] * 3 + [True] * 5
        assert (host.away, host.pausing, host.restarts) == (False, False, 4)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    asyncio.run(check())
    (note,) = notes
    assert "started again" in note
