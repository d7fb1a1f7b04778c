"""A display of the session's own: a number that is claimed, and an X server that has taken it.

Between the two the names of the X server's sockets are anybody's to bind. Who is quicker is told
nothing (:mod:`.display.screen`), and the session takes another display: a few times, because whoever
looks out for claims may be quicker each time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from ..model.records import Spec
from ..model.trust import who
from .display.xserver import DisplayTaken, XServer
from .node.claims import Claim, NothingFree, claim_display, holders

log = logging.getLogger(__name__)

_TRIES = 3


class DisplaysTaken(Exception):
    """Somebody else was quicker with each of the displays that were claimed."""


class OwnDisplay:
    """Claimed when it is made; an X server is on it after :meth:`start`.

    Raises
    ------
    NothingFree
    """

    def __init__(self, spec: Spec, xauthority: Path, log: Path):
        self._spec = spec
        self._xauthority = xauthority
        self._log = log
        self._claims: list[Claim] = []
        self._x: XServer | None = None
        self._claim()

    @property
    def number(self) -> int:
        return self._claims[-1].number

    async def start(self, env: Mapping[str, str], bus_id: str) -> XServer:
        """Start the X server, on another display if this one is taken from us meanwhile.

        Parameters
        ----------
        bus_id
            Where the GPU is, as X names it; empty without one.

        Raises
        ------
        XServerFailed, DisplaysTaken
        """
        lost: list[str] = []
        while True:
            self._x = self._server(env, bus_id)
            try:
                await self._x.start()
                return self._x
            except DisplayTaken:
                await self._x.stop()
                lost.append(f":{self.number} by {_names(holders(self.number))}")
                log.warning("display %s was taken meanwhile", lost[-1])
            if len(lost) == _TRIES:
                raise DisplaysTaken(_words(lost))
            try:
                self._claim()
            except NothingFree as e:
                raise DisplaysTaken(f"{_words(lost)} {e}") from e

    async def stop(self) -> None:
        """End the X server and give back what was claimed."""
        if self._x:
            await self._x.stop()
        for claim in self._claims:
            claim.release()

    def _claim(self) -> None:
        """One more: those that are lost are kept, not to be claimed again."""
        self._claims.append(claim_display(self._spec.display_min, self._spec.display_max))

    def _server(self, env: Mapping[str, str], bus_id: str) -> XServer:
        spec = self._spec
        width, height = spec.request.size
        return XServer(
            self.number,
            (max(spec.max_width, width), max(spec.max_height, height)),
            self._xauthority,
            {**env, "DISPLAY": f":{self.number}"},
            self._log,
            [word.replace("{bus_id}", bus_id) for word in spec.x_server_command],
        )


def _names(uids: set[int]) -> str:
    return " and ".join(map(who, sorted(uids))) or "somebody who is gone again"


def _words(lost: list[str]) -> str:
    return (
        f"Somebody else took the display on {os.uname().nodename} in the moment between its claim "
        f"and the start of the X server: {', '.join(lost)}. Start again on another node, and tell "
        "an administrator if it happens again."
    )
