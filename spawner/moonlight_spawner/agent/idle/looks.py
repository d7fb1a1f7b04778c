"""Looks whether a desktop is used. None of it changes the desktop, or wakes what sleeps."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Protocol

from ...model.session import job_named
from ..desktop.gpu import Gpu, busiest, job_gpus
from ..display.screen import Screen
from ..display.xclient import untouched
from .cpu import CpuUse
from .rules import Rules, Seen, unused

#: Of a GPU that says nothing of itself.
_UNKNOWN = 100.0


class Watching(Protocol):
    """The streams of a session."""

    @property
    def streams(self) -> int: ...

    @property
    def unwatched(self) -> float: ...


class Looks:
    """What is known of one desktop's use; GPUs are asked last, and only if nothing else is in use.

    Parameters
    ----------
    gpus
        How many the session has.
    """

    def __init__(self, screen: Screen, watching: Watching, env: Mapping[str, str], gpus: int):
        self._screen = screen
        self._watching = watching
        self._env = env
        self._has_gpu = gpus > 0
        self._gpus: list[Gpu] | None = None
        # The guardian, below which all of the session is.
        self._cpu_use = CpuUse(job_named(env), os.getppid())
        self._cpu: float | None = None
        self._gpu: float | None = None
        self._measured = time.monotonic()

    async def light(self) -> Seen:
        """Who watches and who types, now; what is computed as it was at the last :meth:`whole` look."""
        since = await asyncio.to_thread(untouched, self._screen)
        return Seen(
            watching=self._watching.streams,
            unwatched=self._watching.unwatched,
            untouched=since or 0.0,
            cpu=self._cpu,
            gpu=self._gpu,
        )

    async def whole(self, rules: Rules) -> Seen:
        """With what was computed since the last one."""
        seconds = await asyncio.to_thread(self._cpu_use.since_last)
        before, self._measured = self._measured, time.monotonic()
        took = self._measured - before
        self._cpu = None if seconds is None or took <= 0 else 100 * seconds / took
        self._gpu = None
        seen = await self.light()
        if self._has_gpu and not rules.ends_busy and unused(seen, rules) > 0:
            self._gpu = await self._busiest()
            seen = await self.light()
        return seen

    async def _busiest(self) -> float:
        if self._gpus is None:
            self._gpus = await job_gpus(self._env)
        if not self._gpus:
            return _UNKNOWN
        said = await busiest(self._gpus, self._env)
        return _UNKNOWN if said is None else said
