"""The site's own word on whether a token still counts."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict

from .ask import Unanswered, ask
from .refusals import LoginOver, LoginUnclear

_MOST_KEPT = 4096
_MOST_BYTES = 65536


class Revocation:
    """Asks an address with the token, as its bearer; what cannot be asked does not count."""

    def __init__(self, url: str, seconds: float):
        self._url = url
        self._seconds = seconds
        self._known: OrderedDict[bytes, tuple[float, bool]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[bool]] = {}

    @property
    def used(self) -> bool:
        return bool(self._url)

    async def check(self, token: str) -> None:
        """
        Raises
        ------
        LoginOver
            It was withdrawn.
        LoginUnclear
            There was no answer.
        """
        if not self.used:
            return
        name = hashlib.sha256(token.encode()).digest()
        found = self._known.get(name)
        if found and found[0] > time.monotonic():
            counts = found[1]
        else:
            counts = await self._ask(name, token)
        if not counts:
            raise LoginOver("The login is over: the portal has withdrawn it. Log in again.")

    async def _ask(self, name: bytes, token: str) -> bool:
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.ensure_future(self._answer(name, token))
            asking.add_done_callback(lambda _: self._asking.pop(name, None))
        try:
            return await asyncio.shield(asking)
        except Unanswered as e:
            raise LoginUnclear(
                "Whether your login still counts cannot be found out now: the portal's login does not "
                "answer. Try again in a moment."
            ) from e

    async def _answer(self, name: bytes, token: str) -> bool:
        status, _ = await ask(self._url, {"Authorization": f"Bearer {token}"}, _MOST_BYTES)
        if status >= 500 or status == 429:  # no word on the token
            raise Unanswered(f"the answer was {status}")
        counts = 200 <= status < 300
        self._known[name] = (time.monotonic() + self._seconds, counts)
        self._known.move_to_end(name)
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
        return counts
