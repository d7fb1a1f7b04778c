"""A guest's keyboard and mouse, as the host gets them: by a connection of the gateway's own.

The guest's own connection is a viewer's at all times: the host itself takes no input from it, and sends it
no clipboard. So control can be given and taken without it, and of what the host says to who controls
nothing reaches a guest: it is read here and forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from ..hosts.joined import joined
from .invitations import Invitation

log = logging.getLogger(__name__)

# What may wait to be typed; of a guest who sends more, the rest is dropped.
_MOST = 256


class Hands:
    """Of one stream of one guest.

    Parameters
    ----------
    path
        The host's Unix socket; None: it has none, and nothing is typed.
    websocket
        Where its WebSocket is.
    """

    def __init__(self, invitation: Invitation, path: str | None, websocket: str):
        self._invitation = invitation
        self._path = path
        self._websocket = websocket
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue(_MOST)
        self._down: dict[str, None] = {}  # keys, as the host names them
        self._pointer: list[str] = []
        self._work: asyncio.Task[None] | None = None
        invitation.changed.add(self._changed)

    def act(self, message: str) -> None:
        """Type or point, if he may."""
        if not self._invitation.controls or self._path is None or self._waiting.full():
            return
        if self._work is None or self._work.done():
            self._work = asyncio.ensure_future(self._run(Path(self._path)))
        if message == "kr":  # the owner's keys stay where they are
            self._let_go()
            return
        self._note(message)
        self._waiting.put_nowait(message)

    async def stop(self) -> None:
        """Let go of everything."""
        self._invitation.changed.discard(self._changed)
        if self._work:
            self._end()
            await asyncio.gather(self._work, return_exceptions=True)

    def _changed(self) -> None:
        if self._work and not self._invitation.controls:
            self._end()

    def _end(self) -> None:
        """What he had ready is not typed any more, and no key stays down."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self._let_go()
        if self._pointer and self._pointer[3] != "0":
            self._waiting.put_nowait(",".join([*self._pointer[:3], "0", "0"]))
        self._pointer.clear()
        self._waiting.put_nowait(None)

    def _let_go(self) -> None:
        for key in self._down:
            if not self._waiting.full():
                self._waiting.put_nowait(f"ku,{key}")
        self._down.clear()

    def _note(self, message: str) -> None:
        kind, *words = message.split(",")
        if kind == "kd" and len(self._down) < _MOST // 2:
            self._down[words[0]] = None
        elif kind == "ku":
            self._down.pop(words[0], None)
        elif kind in ("m", "m2"):
            where = words[:2] if kind == "m" else ["0", "0"]
            self._pointer = [kind, *where, words[2]]

    async def _run(self, path: Path) -> None:
        try:
            async with joined(path, self._websocket) as connection:
                await connection.send("STOP_VIDEO")  # nobody looks
                said = asyncio.ensure_future(_forget(connection.messages()))
                try:
                    while not said.done() and (message := await self._waiting.get()) is not None:
                        await connection.send(message)
                finally:
                    said.cancel()
        except OSError as e:
            log.warning("sharing: what a guest types does not reach the host: %s", e)


async def _forget(messages: object) -> None:
    with contextlib.suppress(OSError):
        async for _ in messages:  # type: ignore[attr-defined]
            pass
