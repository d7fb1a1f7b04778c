"""Claims a display and a block of ports on this node, atomically, at the moment of use.

The lock is an abstract Unix socket: binding it is atomic, it dies with its holder, however that
dies, and it lives in the same network namespace as the ports it stands for.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...model.limits import PORT_BLOCK

# Sunshine's sockets relative to its `port` (measured): TCP -5, 0, +1, +21; UDP +9, +10, +11. The
# browser's client beside it has TCP +15 and, for WebRTC, UDP +22 to +26.
BASE_OFFSET = 5
WEB_OFFSET = 15
WEBRTC_OFFSETS = (22, 23, 24, 25, 26)
_TCP_OFFSETS = (-5, 0, 1, WEB_OFFSET, 21)
_UDP_OFFSETS = (9, 10, 11, *WEBRTC_OFFSETS)


class NothingFree(Exception):
    """Every display or port block of the site's range is taken on this node."""


@dataclass
class Claim:
    """A display number or a port base, held until :meth:`release` or until the process ends."""

    number: int
    _lock: socket.socket

    def release(self) -> None:
        self._lock.close()


def claim_display(first: int, last: int) -> Claim:
    """Claim a display number in ``first..last`` that no X server uses either.

    Raises
    ------
    NothingFree
    """
    for claim in _claims("display", range(first, last + 1)):
        if not _x_server_on(claim.number):
            return claim
        claim.release()
    raise NothingFree(
        f"No display is free on {os.uname().nodename}: all of :{first} to :{last} are taken. "
        "Start again later or on another node."
    )


def claim_ports(first: int, last: int, but: int | None = None, bound: bool = True) -> Claim:
    """Claim a block of 32 ports in ``first..last``; ``number`` is Sunshine's base port in it.

    Parameters
    ----------
    but
        A base that proved to be of no use.
    bound
        Whether its ports will be bound, and so must be free. Usual ranges are also those of the
        node's outgoing connections, and one that is closed keeps its port for a minute more: on a
        node with many of them no block is free.

    Raises
    ------
    NothingFree
    """
    starts = range(first, last - (BASE_OFFSET + WEBRTC_OFFSETS[-1]) + 1, PORT_BLOCK)
    in_use = 0
    for claim in _claims("ports", starts):
        base = claim.number + BASE_OFFSET
        if base != but and (not bound or _ports_free(base)):
            claim.number = base
            return claim
        in_use += 1
        claim.release()
    why = "all of them are taken"
    if in_use:
        why = (
            f"{len(starts) - in_use} of them are taken, and of the others each has a port that some "
            "connection or program uses, or used a minute ago (an administrator can reserve the "
            f"range: sysctl net.ipv4.ip_local_reserved_ports={first}-{last})"
        )
    raise NothingFree(
        f"No block of ports is free on {os.uname().nodename}: {first} to {last} has room for "
        f"{len(starts)} sessions, and {why}. Start again later or on another node."
    )


def _claims(kind: str, numbers: range) -> Iterator[Claim]:
    """Locks that could be taken. Twenty agents that start at once begin at different numbers."""
    order = list(numbers)
    if order:
        start = random.randrange(min(len(order), 8))
        order = order[start:] + order[:start]
    for number in order:
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            lock.bind(f"\0moonlight-hpc/{kind}/{number}")
        except OSError as e:
            lock.close()
            if e.errno != errno.EADDRINUSE:
                raise
            continue
        yield Claim(number, lock)


def holders(display: int) -> set[int]:
    """Whose the X server's names of this display are, as far as the kernel tells; user ids.

    An abstract name that is bound and not listened at has an owner whom it does not tell.
    """
    lock, path = _files(display)
    found = set()
    for file in (lock, path):
        with contextlib.suppress(OSError):
            found.add(os.lstat(file).st_uid)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
        probe.setblocking(False)
        probe.connect(f"\0{path}")
        peer = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        found.add(struct.unpack("3i", peer)[1])
    return found


def _files(display: int) -> tuple[str, str]:
    """Lock and socket."""
    return f"/tmp/.X{display}-lock", f"/tmp/.X11-unix/X{display}"


def _x_server_on(display: int) -> bool:
    """Whether a lock file or a socket of an X server stands for this display."""
    lock, path = _files(display)
    if os.path.lexists(lock) or os.path.lexists(path):
        return True
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.bind(f"\0{path}")
    except OSError:
        return True
    finally:
        probe.close()
    return False


def udp_ports_free(base: int) -> bool:
    """Whether nobody has bound an UDP port of the block at ``base``.

    Sunshine binds them when a stream begins, and crashes if one is taken then.
    """
    return _free((socket.SOCK_DGRAM, base + offset) for offset in _UDP_OFFSETS)


def _ports_free(base: int) -> bool:
    return udp_ports_free(base) and _free((socket.SOCK_STREAM, base + o) for o in _TCP_OFFSETS)


def _free(wanted: Iterable[tuple[int, int]]) -> bool:
    """Tried as they will be bound: by TCP with SO_REUSEADDR, to which the connections that a server of
    before has closed are nothing (tcp(7)); by UDP without, where it would let two of them share one."""
    for kind, port in wanted:
        probe = socket.socket(socket.AF_INET, kind)
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        finally:
            probe.close()
    return True
