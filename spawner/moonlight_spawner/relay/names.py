"""Names of hosts that somebody else has written down, looked up at nobody else's cost.

The loop's own way to look names up is a few threads that it shares with all else that blocks: files,
accounts, Redis. A name whose name server says nothing holds one for many seconds, and anybody can write
down many of them. So these have threads of their own.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_THREADS, _MOST_WAITING, _MOST_ADDRESSES = 8, 64, 8
_threads = ThreadPoolExecutor(_THREADS, "names")
_waiting = 0


async def addresses_of(host: str) -> list[str]:
    """The addresses of a host; an address is its own.

    Raises
    ------
    OSError
        It has none, or too many names are being looked up.
    """
    global _waiting
    if is_address(host):
        return [host]
    if _waiting >= _MOST_WAITING:
        raise OSError(f"{host} is not looked up: {_waiting} other names are, and no answer comes")
    _waiting += 1
    try:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(_threads, _look_up, host)
    finally:
        _waiting -= 1
    return list(dict.fromkeys(str(address[0]) for *_, address in found))[:_MOST_ADDRESSES]


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_here(address: str) -> bool:
    """Whether it leads to this very machine's loopback, or to no one machine."""
    ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_loopback or ip.is_unspecified or ip.is_multicast


def _look_up(host: str) -> list[Any]:
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)


__all__ = ["addresses_of", "is_address", "is_here"]
