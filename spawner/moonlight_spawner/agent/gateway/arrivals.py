"""Connections as they arrive at a listening socket: taken by hand, so that whoever comes can be looked at
before anything is done for him."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

_AT_ONCE = 64  # connections taken before others of the loop have their turn
_AGAIN_SECONDS = 0.1


class Arrivals:
    """Begins at once.

    Parameters
    ----------
    listener
        Listens already; closed by :meth:`close`.
    arrived
        Gets each connection, which does not block, and the address that it comes from.
    """

    def __init__(self, listener: socket.socket, arrived: Callable[[socket.socket, Any], None]):
        self._socket = listener
        self._arrived = arrived
        self._resume: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        if self._resume:
            self._resume.cancel()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as e:  # out of file descriptors
                log.warning("cannot accept a connection: %s", e)
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._socket)
                self._resume = loop.call_later(_AGAIN_SECONDS, self._listen)
                return
            connection.setblocking(False)
            self._arrived(connection, address)
