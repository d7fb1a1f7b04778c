"""The gateway's port: takes connections in, whoever comes and however many.

Who has not said a word yet costs a descriptor and no more. At the first words there are two kinds:
what shows a secret of the session (the portal's TLS greeting, :mod:`moonlight_spawner.relay.knock`;
a bearer or a cookie where the port speaks plain HTTP) comes in at once; strangers come in as fast as
:class:`.strangers.Strangers` lets them. So a flood from the portal's own machine does not keep the
portal out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from ...relay.buckets import source
from .arrivals import Arrivals
from .strangers import MAX_STRANGERS, MAX_STRANGERS_OF_ONE, Strangers, Visitor

_MAX_CONNECTIONS = 1024
_FIRST_WORDS_SECONDS = 10.0
_AGAIN_SECONDS = 0.05
_BACKLOG = 1024
_TLS_HANDSHAKE = 0x16  # first byte of a TLS record of that type; HTTP begins with a letter
_TLS_HEAD = 5
_MOST_PEEKED = 8192

Serve = Callable[[socket.socket, bool, Visitor], Coroutine[Any, Any, None]]


class Listener:
    """Listens on one address.

    Parameters
    ----------
    serve
        Talks to one connection and closes it; told whether it speaks TLS.
    knows
        Whether first words show a secret of the session.
    """

    def __init__(self, serve: Serve, knows: Callable[[bytes], bool]):
        self._serve = serve
        self._knows = knows
        self._arrivals: Arrivals | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._silent: dict[_Silent, None] = {}  # in the order in which they came
        self._strangers = Strangers()

    def open(self, address: str) -> int:
        """Begin to listen; gives the port, which the kernel picks.

        Raises
        ------
        OSError
            The address is not one of this node.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        both = address == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(
            (address, 0), family=family, backlog=_BACKLOG, dualstack_ipv6=both
        )
        self._arrivals = Arrivals(listener, self._arrived)
        return int(listener.getsockname()[1])

    async def close(self) -> None:
        """Close the port and every connection."""
        arrivals, self._arrivals = self._arrivals, None
        if arrivals is None:
            return
        arrivals.close()
        for silent in list(self._silent):
            silent.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _arrived(self, connection: socket.socket, address: tuple[Any, ...]) -> None:
        if len(self._connections) + len(self._silent) >= _MAX_CONNECTIONS:
            connection.close()
        else:
            self._take(connection, source(str(address[0])))

    def _take(self, connection: socket.socket, address: str) -> None:
        silent = _Silent(connection, address, self)
        if silent.look():
            return
        of_the_same = [one for one in self._silent if one.address == address]
        full = of_the_same if len(of_the_same) >= MAX_STRANGERS_OF_ONE else []
        if not full and len(self._silent) >= MAX_STRANGERS:
            full = list(self._silent)
        self._silent[silent] = None
        silent.wait()
        # He may have spoken meanwhile, in the noise of a flood.
        if full and not full[0].look():
            full[0].close()

    def spoke(self, silent: _Silent, words: bytes) -> None:
        """First words are there: in, or away."""
        self.forget(silent)
        visitor: Visitor | None = Visitor()
        if not self._knows(words):
            visitor = self._strangers.let_in(silent.address)
        if visitor is None:
            silent.connection.close()
            return
        secure = words[0] == _TLS_HANDSHAKE
        task = asyncio.ensure_future(self._serve(silent.connection, secure, visitor))
        visitor.turn_away = task.cancel
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    def forget(self, silent: _Silent) -> None:
        self._silent.pop(silent, None)


class _Silent:
    """A connection that has not said enough yet to be told from others."""

    def __init__(self, connection: socket.socket, address: str, listener: Listener):
        self.connection = connection
        self.address = address
        self._listener = listener
        self._timers: list[asyncio.TimerHandle] = []

    def wait(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self.connection, self.look)
        self._timers.append(loop.call_later(_FIRST_WORDS_SECONDS, self.close))

    def look(self) -> bool:
        """Whether this one is dealt with: it has spoken, or gone."""
        try:
            words = self.connection.recv(_MOST_PEEKED, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            words = b""
        if not words:
            self.close()
        elif _is_whole(words):
            self._stop()
            self._listener.spoke(self, words)
        else:
            # What is there stays readable: to be called again at once would only burn time.
            loop = asyncio.get_running_loop()
            loop.remove_reader(self.connection)
            self._timers.append(loop.call_later(_AGAIN_SECONDS, self.look))
            return False
        return True

    def close(self) -> None:
        self._stop()
        self._listener.forget(self)
        self.connection.close()

    def _stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        with contextlib.suppress(ValueError, OSError):
            asyncio.get_running_loop().remove_reader(self.connection)


def _is_whole(words: bytes) -> bool:
    """Whether a TLS greeting is there to its end. Of HTTP a beginning is enough: a secret that
    comes late makes its sender no stranger to the door, only to the queue."""
    if words[0] != _TLS_HANDSHAKE or len(words) == _MOST_PEEKED:
        return True
    return len(words) >= _TLS_HEAD + int.from_bytes(words[3:_TLS_HEAD], "big")
