"""Connections that have not shown the token yet: few at once, and they keep nobody out.

All users of a Jupyter host come from its address, the session's owner too. So a full house turns
the stranger away who has waited longest; the owner's requests show the token at once.
"""

from __future__ import annotations

from collections.abc import Callable

MAX_STRANGERS = 256
MAX_STRANGERS_OF_ONE = 64


class Strangers:
    """Those who are here, in the order in which they came. Who is admitted is none any more."""

    def __init__(self) -> None:
        self._here: list[Visitor] = []

    def let_in(self, address: str, turn_away: Callable[[], object]) -> Visitor:
        """A new connection. ``turn_away`` closes it, if others come before it shows a token."""
        address = "loopback" if address.startswith("127.") else address
        of_the_same = [v for v in self._here if v.address == address]
        if len(of_the_same) >= MAX_STRANGERS_OF_ONE:
            of_the_same[0].turn_away()
        elif len(self._here) >= MAX_STRANGERS:
            self._here[0].turn_away()
        visitor = Visitor(self._here, address, turn_away)
        self._here.append(visitor)
        return visitor


class Visitor:
    """One connection: a stranger until :meth:`admit` or :meth:`leave`."""

    def __init__(self, here: list[Visitor], address: str, turn_away: Callable[[], object]):
        self.address = address
        self._here = here
        self._close = turn_away

    def turn_away(self) -> None:
        self.leave()
        self._close()

    def leave(self) -> None:
        if self in self._here:
            self._here.remove(self)

    admit = leave
