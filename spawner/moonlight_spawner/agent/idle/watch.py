"""Ends a session that nobody uses, after its user was told; he may keep it."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Any

from ...model.records import Spec
from ...model.sentences import Said
from ...model.session import End, State, Way, now
from ..status import StatusFile
from .looks import Looks
from .mark import mark_job
from .rules import Quiet, Rules, Seen, warns
from .warning import OnDesktop

log = logging.getLogger(__name__)

# Looks at what is computed: a tenth of the time, so that a moment's work is no use of the desktop.
_LOOK_SECONDS = (0.5, 60.0)
# While the user is told, whether he has come.
_WARNED_SECONDS = 1.0
# Nobody looked for so long: the job was suspended, and its user could not come meanwhile.
_AWAY_SECONDS = 120.0


class IdleWatch:
    """One session's: what its status says of it, and the warning on its desktop."""

    def __init__(self, spec: Spec, status: StatusFile, looks: Looks, desktop: OnDesktop):
        self._rules = Rules.of(spec.idle)
        # A guest's end gives nothing back: its job keeps what it has.
        self.on = self._rules.seconds > 0 and spec.way is not Way.GUEST
        self._status = status
        self._looks = looks
        self._desktop = desktop
        self._slurm = spec.scheduler == "slurm"
        self._quiet = Quiet(time.monotonic())
        self._asked = asyncio.Event()
        if self.on:
            status.status.idle_minutes = spec.idle.minutes

    async def passes(self) -> End:
        """Until nobody has used it for so long as the site says; for ever where that is no rule."""
        if not self.on:
            await asyncio.Event().wait()
        rules = self._rules
        shortest, longest = _LOOK_SECONDS
        between = max(shortest, min(longest, rules.seconds / 10))
        self._quiet.keep(time.monotonic())
        seen = await self._looks.whole(rules)
        measured = looked = time.monotonic()
        while True:
            told = self._status.status.idle_ends_at is not None
            await self._pause(min(between, _WARNED_SECONDS) if told else between)
            if time.monotonic() - looked > between + _AWAY_SECONDS:
                self._quiet.keep(time.monotonic())
            if time.monotonic() - measured >= between:
                seen = await self._looks.whole(rules)
                measured = time.monotonic()
            else:
                seen = await self._looks.light()
            looked = time.monotonic()
            self._quiet.see(looked, seen, rules)
            left = self._quiet.left(looked, rules)
            if left <= 0 and told:
                log.info("idle: %s", seen)
                if self._slurm:
                    await mark_job()
                return _end(looked - self._quiet.since, seen)
            self._say(left if warns(left, rules) else None)

    async def control(self, method: str) -> tuple[int, Any]:
        """*Keep it*: the time begins anew."""
        if method != "POST":
            return 405, {"message": "POST says that the desktop is kept.", "code": "not_found"}
        self._quiet.keep(time.monotonic())
        self._say(None)
        self._asked.set()
        return 200, {"idle_minutes": self._status.status.idle_minutes, "idle_ends_at": None}

    def stop(self) -> None:
        """Take the warning away."""
        self._desktop.tell(None)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._asked.wait(), seconds)
        except asyncio.TimeoutError:
            return
        self._asked.clear()

    def _say(self, left: float | None) -> None:
        """Tell it, or take it back, where that is news."""
        status = self._status.status
        if left is None and status.idle_ends_at is not None:
            status.idle_ends_at = None
        elif left is not None and status.idle_ends_at is None:
            left = max(0.0, left)
            status.idle_ends_at = now() + timedelta(seconds=round(left))
        else:
            return
        log.info("idle: ends at %s", status.idle_ends_at)
        self._status.write()
        self._desktop.tell(left)


def _end(quiet: float, seen: Seen) -> End:
    """Why it ends, with what was seen."""
    used = f"CPU {seen.cpu or 0:.0f} %" + ("" if seen.gpu is None else f", GPU {seen.gpu:.0f} %")
    said = Said.by(
        "Idle",
        "Nobody used this desktop for {minutes} min, so it was ended and what it had was given back. "
        "It was open in {watching} browsers, the last input was {untouched} min ago, its job used {used}.",
        minutes=f"{quiet / 60:.0f}",
        watching=seen.watching,
        untouched=f"{seen.untouched / 60:.0f}",
        used=used,
    )
    return End.saying(State.TIMEOUT, said)
