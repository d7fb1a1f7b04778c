"""Several addresses of one peer: tried side by side, and the one that answered first the next time.

A node announces all of its addresses, and some may lie in a network that the portal does not reach.
Such a network often drops what comes without a word: only patience tells that, and nobody has it at
every request.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

#: Head start of each address before the next one is tried too, in seconds ("Connection Attempt
#: Delay" of RFC 8305).
HEAD_START_SECONDS = 0.25
_REMEMBERED = 1024


class Abortable(Protocol):
    def abort(self) -> None: ...


C = TypeVar("C", bound=Abortable)
_answered: OrderedDict[tuple[tuple[str, ...], int], str] = OrderedDict()


async def race(addresses: Sequence[str], port: int, open_one: Callable[[str], Awaitable[C]]) -> C:
    """The first connection that comes; every other one is aborted.

    Raises
    ------
    ConnectionError
        There is no address.
    Exception
        None answers: what became of the address that is the best of them.
    """
    peer = (tuple(addresses), port)
    order = list(addresses)
    if (known := _answered.get(peer)) in order:
        order.remove(known)
        order.insert(0, known)
    attempts: dict[asyncio.Future[C], str] = {}
    errors: dict[str, BaseException] = {}
    try:
        while order or attempts:
            if order:
                address = order.pop(0)
                attempts[asyncio.ensure_future(open_one(address))] = address
            done, _ = await asyncio.wait(
                attempts,
                timeout=HEAD_START_SECONDS if order else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                address = attempts.pop(attempt)
                if error := attempt.exception():
                    errors[address] = error
                    continue
                _remember(peer, address)
                return attempt.result()
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(_abort)
    _answered.pop(peer, None)
    for address in addresses:
        raise errors[address]
    raise ConnectionError("no address is known")


def _remember(peer: tuple[tuple[str, ...], int], address: str) -> None:
    _answered[peer] = address
    _answered.move_to_end(peer)
    if len(_answered) > _REMEMBERED:
        _answered.popitem(last=False)


def _abort(attempt: asyncio.Future[C]) -> None:
    """One that came too late, in the moment in which it was cancelled."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().abort()
