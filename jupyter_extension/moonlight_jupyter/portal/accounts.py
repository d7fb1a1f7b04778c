"""Whether a name is that of a user: an account that is there, of a person."""

from __future__ import annotations

import asyncio
import pwd
import time
from collections import OrderedDict

from moonlight_spawner.model.errors import shorten

from .refusals import LoginRefused, LoginUnclear

_SECONDS = 5.0
_KEPT_SECONDS = 30.0
_MOST_KEPT = 4096
_NOBODY = 65534  # whom others are taken for that have no id here; of the system in every place


class Accounts:
    """Looks names up where the system does, which may be a directory service: not in the loop, not
    twice at once, and not for each request."""

    def __init__(self, least_uid: int):
        self._least_uid = least_uid
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._asking: dict[str, asyncio.Future[str]] = {}

    async def check(self, user: str) -> None:
        """
        Raises
        ------
        LoginRefused
            It is nobody who may have sessions.
        """
        found = self._known.get(user)
        if not found or found[0] < time.monotonic():
            found = (0.0, await self._ask(user))
        if found[1]:
            raise LoginRefused(found[1])

    async def _ask(self, user: str) -> str:
        asking = self._asking.get(user)
        if asking is None:
            asking = asyncio.ensure_future(asyncio.to_thread(self._why_not, user))
            self._asking[user] = asking
            asking.add_done_callback(lambda done: self._answered(user, done))
        try:
            return await asyncio.wait_for(asyncio.shield(asking), _SECONDS)
        except (asyncio.TimeoutError, OSError) as e:
            raise LoginUnclear(
                "Whether you have an account cannot be found out now: the directory of users does not "
                "answer. Try again in a moment."
            ) from e

    def _answered(self, user: str, done: asyncio.Future[str]) -> None:
        self._asking.pop(user, None)
        if not done.cancelled() and not done.exception():
            self._known[user] = (time.monotonic() + _KEPT_SECONDS, done.result())
            self._known.move_to_end(user)
            while len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)

    def _why_not(self, user: str) -> str:
        try:
            entry = pwd.getpwnam(user)
        except (KeyError, ValueError):  # also a NUL, and what cannot be encoded
            return (
                f"{shorten(user)} has no account on the cluster. An administrator has to make one."
            )
        # A directory service may know other spellings, and sudo reads #0 as an id.
        if entry.pw_name != user or user.startswith("#"):
            return f"{shorten(user)} is not the name of an account, though one answers to it."
        if entry.pw_uid < self._least_uid or entry.pw_uid in (0, _NOBODY):
            return f"{shorten(user)} is an account of the system's; desktops are for users."
        return ""
