"""A small picture of the desktop, for the list of its owner.

Nobody who does not look costs anything: it is taken when it is asked for, and then not again for half a
minute, whoever asks. It is in this process's memory alone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from time import monotonic
from typing import Any

from ..display.screen import Screen
from .grab import NoPicture, picture

SECONDS = 30.0
_ANSWER_SECONDS = 5.0
# A desktop that has just started is all black for a moment, and would be for half a minute.
_BLANK_TRIES, _BLANK_SECONDS = 6, 0.5

#: What a session says of its picture: the site has none, its user shows it, its user does not.
OFF, SHOWN, HIDDEN = "off", "shown", "hidden"


class Preview:
    """Answers ``/control/picture``.

    Parameters
    ----------
    allowed
        The site has pictures.
    shown
        The user wants one, to begin with.
    changed
        Told the new state (:data:`SHOWN` or :data:`HIDDEN`) whenever the user has changed it.
    """

    def __init__(self, screen: Screen, allowed: bool, shown: bool, changed: Callable[[str], None]):
        self._screen = screen
        self._changed = changed
        self.state = (SHOWN if shown else HIDDEN) if allowed else OFF
        self._data = b""
        self._taken = float("-inf")
        self._taking: asyncio.Future[bytes] | None = None

    async def control(self, method: str, body: Any) -> tuple[int, Any]:
        """``GET``: the picture, in base64; ``PUT``: whether there is to be one."""
        if method not in ("GET", "PUT"):
            message = "A picture is looked at, shown or hidden."
            return 405, {"message": message, "code": "method_not_allowed"}
        if self.state == OFF:
            message = "This site has no pictures of desktops."
            return 403, {"message": message, "code": "picture_off"}
        if method == "PUT":
            return self._show(body)
        if self.state == HIDDEN:
            return _HIDDEN
        try:
            data = await self._newest()
        except NoPicture as e:
            message = f"There is no picture of the desktop: {e}. Try again in a moment."
            return 502, {"message": message, "code": "picture_failed"}
        if self.state == HIDDEN:  # meanwhile
            return _HIDDEN
        return 200, {"jpeg": base64.b64encode(data).decode()}

    def _show(self, body: Any) -> tuple[int, Any]:
        shown = body.get("shown") if isinstance(body, dict) else None
        if not isinstance(shown, bool):
            message = "shown must be true or false."
            fields = [{"field": "shown", "value": None, "message": message}]
            return 400, {"message": message, "code": "invalid_request", "fields": fields}
        state = SHOWN if shown else HIDDEN
        if state != self.state:
            self.state = state
            self._data, self._taken, self._taking = b"", float("-inf"), None
            self._changed(state)
        return 200, {"shown": shown}

    async def _newest(self) -> bytes:
        """Taken now, or within the last half minute.

        Raises
        ------
        NoPicture
        """
        if monotonic() - self._taken < SECONDS:
            return self._data
        if self._taking is None or self._taking.done():
            self._taking = asyncio.ensure_future(self._take())
        taking = self._taking
        # An X server that hangs keeps one thread, and nobody who asks for longer than this.
        try:
            data = await asyncio.wait_for(asyncio.shield(taking), _ANSWER_SECONDS)
        except asyncio.TimeoutError as e:
            raise NoPicture(f"the X server has not answered within {_ANSWER_SECONDS:g} s") from e
        if self._taking is taking:
            self._data, self._taken = data, monotonic()
        return data

    async def _take(self) -> bytes:
        for left in reversed(range(_BLANK_TRIES)):
            data, blank = await asyncio.to_thread(picture, self._screen)
            if not blank or not left:
                break
            await asyncio.sleep(_BLANK_SECONDS)
        return data


_HIDDEN = (
    409,
    {
        "message": "You have hidden the picture of this desktop. Show it first.",
        "code": "picture_hidden",
    },
)
