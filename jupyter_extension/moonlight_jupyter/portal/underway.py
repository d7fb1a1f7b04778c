"""Requests that are being answered: a service that ends answers them first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tornado.httputil import HTTPConnection


class Underway:
    """All servers of one service."""

    def __init__(self) -> None:
        self._open: set[HTTPConnection] = set()
        self._none = asyncio.Event()
        self._none.set()

    def begun(self, connection: HTTPConnection) -> Callable[[], None]:
        """A request has come on ``connection``, which is one request's. It is over with its answer, when
        the connection is a stream's from then on, or when what is given here is called."""

        def over() -> None:
            self._open.discard(connection)
            if not self._open:
                self._none.set()

        def first(method: Callable[..., object]) -> Callable[..., object]:
            def over_and(*args: object) -> object:
                over()
                return method(*args)

            return over_and

        self._open.add(connection)
        self._none.clear()
        for name in ("finish", "detach"):
            setattr(connection, name, first(getattr(connection, name)))
        return over

    async def all_over(self, seconds: float) -> None:
        """Wait until none is left, for so long at most."""
        try:
            await asyncio.wait_for(self._none.wait(), seconds)
        except asyncio.TimeoutError:
            return
