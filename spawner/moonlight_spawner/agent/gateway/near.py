"""The gateway's other way in: a Unix socket, for a portal that runs on this very machine as the same user.

Nothing is read on the way there, so it needs no TLS. It lies in the session's private directory; of whoever
gets to it all the same the kernel says who he is, and who is let in still has to show the session's token.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from ...relay.wire import peer_uid
from .arrivals import Arrivals

log = logging.getLogger(__name__)

_BACKLOG = 128

Serve = Callable[[socket.socket], Coroutine[Any, Any, None]]


class Near:
    """Takes connections of its own user, and closes all others.

    Parameters
    ----------
    serve
        Talks to one connection and closes it.
    """

    def __init__(self, serve: Serve):
        self._serve = serve
        self._path: Path | None = None
        self._arrivals: Arrivals | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def open(self, path: Path) -> None:
        """Begin to listen.

        Raises
        ------
        OSError
            A socket cannot be there; its path may be too long, too.
        """
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(path))
            self._path = path
            path.chmod(0o600)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        self._arrivals = Arrivals(listener, self._arrived)

    async def close(self) -> None:
        """Close the socket and every connection."""
        if self._path:
            self._path.unlink(missing_ok=True)
        arrivals, self._arrivals = self._arrivals, None
        if arrivals is None:
            return
        arrivals.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _arrived(self, connection: socket.socket, _: object) -> None:
        if (uid := peer_uid(connection)) != os.geteuid():
            log.warning("refused a connection of uid %s to the session's own socket", uid)
            connection.close()
            return
        task = asyncio.ensure_future(self._serve(connection))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
