"""Connections that have not shown a secret of the session yet: few at once, and not too fast.

All users of a Jupyter host come from its address, the session's owner too. Those whom the listener
knows are no strangers; for the rest (browsers through a portal's node proxy) holds: who is in the
middle of a handshake is left in peace for a while, also when the house is full, because it is the
newest of a flood that are turned away then; and what an owner used up he gets back with his cookie.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ...relay.buckets import Bucket, Buckets

MAX_STRANGERS = 256
MAX_STRANGERS_OF_ONE = 64
# Of one source, and of all: a TLS handshake takes about a millisecond of CPU.
_RATE, _BURST = 64.0, 256.0
_RATE_OF_ALL, _BURST_OF_ALL = 256.0, 512.0
_SOURCES = 1024
_GRACE_SECONDS = 2.0


class Visitor:
    """One connection: a stranger until :meth:`admit` or :meth:`leave`, if it ever was one."""

    def __init__(self, here: list[Visitor] | None = None, address: str = ""):
        self.address = address
        self.came = time.monotonic()
        self.turn_away: Callable[[], object] = lambda: None
        self.buckets: tuple[Bucket, ...] = ()
        self._here = here

    @property
    def stranger(self) -> bool:
        return self._here is not None and self in self._here

    def leave(self) -> None:
        if self.stranger:
            assert self._here is not None
            self._here.remove(self)

    def admit(self) -> None:
        """It has shown that it may come."""
        if self.stranger:
            for bucket in self.buckets:
                bucket.give_back()
        self.leave()


class Strangers:
    """Those who are here, in the order in which they came. Who is admitted is none any more."""

    def __init__(self) -> None:
        self._here: list[Visitor] = []
        self._all = Bucket(_RATE_OF_ALL, _BURST_OF_ALL)
        self._sources = Buckets(_RATE, _BURST, _SOURCES)

    def let_in(self, address: str) -> Visitor | None:
        """A new connection of this source; None if it has to go.

        Whoever has waited for long makes room for it: ``turn_away`` is called.
        """
        of_the_same = [v for v in self._here if v.address == address]
        oldest = None
        if len(of_the_same) >= MAX_STRANGERS_OF_ONE:
            oldest = of_the_same[0]
        elif len(self._here) >= MAX_STRANGERS:
            oldest = self._here[0]
        if oldest and time.monotonic() - oldest.came < _GRACE_SECONDS:
            return None
        bucket = self._sources.of(address)
        if not bucket.take():
            return None
        if not self._all.take():
            bucket.give_back()
            return None
        if oldest:
            oldest.leave()
            oldest.turn_away()
        visitor = Visitor(self._here, address)
        visitor.buckets = (bucket, self._all)
        self._here.append(visitor)
        return visitor
