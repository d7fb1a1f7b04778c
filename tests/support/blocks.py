"""Blocks of ports that are one test's alone, of all tests that run on this machine at the same time.

A port that is free while it is looked for may be another test's before it is used: a session claims its
block only when it starts, and what a test says of its blocks has to be so until its end.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections import deque

from moonlight_spawner.model.limits import PORT_BLOCK

from tests.cluster.ports import FIRST_PORT as FIRST_OF_OTHERS

#: Below what :func:`tests.cluster.ports.free_port` gives out.
_FIRST = 12_000
#: So many of what one process was given stay its own; what it asked for before has ended.
_KEPT = 8

_held: deque[contextlib.ExitStack] = deque()


def block_range(blocks: int) -> int:
    """The first port of so many blocks in a row, which nobody uses."""
    size = PORT_BLOCK * blocks
    while True:
        first = random.randrange(_FIRST, FIRST_OF_OTHERS - size, PORT_BLOCK)
        with contextlib.ExitStack() as claims:
            for block in range(first, first + size, PORT_BLOCK):
                claim = claims.enter_context(socket.socket(socket.AF_UNIX))
                if not _bound(claim, f"\0moonlight-test-block-{block}") or not _unused(block):
                    break
            else:
                _held.append(claims.pop_all())
                while len(_held) > _KEPT:
                    _held.popleft().close()
                return first


def _unused(block: int) -> bool:
    with socket.socket(socket.AF_UNIX) as session:
        if not _bound(session, f"\0moonlight-hpc/ports/{block}"):
            return False
    for port in range(block, block + PORT_BLOCK):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                if not _bound(probe, ("0.0.0.0", port)):
                    return False
    return True


def _bound(one: socket.socket, address: str | tuple[str, int]) -> bool:
    try:
        one.bind(address)
    except OSError:
        return False
    return True
