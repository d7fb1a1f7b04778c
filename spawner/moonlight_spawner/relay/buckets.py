"""How often somebody may: so many times at once, then so many a second, for each by name."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable


class Bucket:
    """So many at once, then so many a second. ``clock`` gives seconds."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic):
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left = burst
        self._at = clock()

    def take(self) -> bool:
        self._fill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def spend(self, more: float) -> float:
        """Take what was begun and costs more, also where there is none left; gives the seconds until that
        is made good."""
        self._fill()
        self._left -= more
        return max(0.0, -self._left) / self._rate

    def _fill(self) -> None:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now

    def give_back(self) -> None:
        self._left = min(self._burst, self._left + 1)

    @property
    def wait(self) -> float:
        """Seconds until one can be taken, as things were at the last :meth:`take`."""
        return max(0.0, 1 - self._left) / self._rate


class Buckets:
    """One for each name, of the ``most`` that were asked for last: the fullest are forgotten first."""

    def __init__(
        self,
        rate: float,
        burst: float,
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._rate, self._burst, self._clock = rate, burst, clock
        self._most = most
        self._kept: OrderedDict[str, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, name: str) -> Bucket:
        bucket = self._kept.get(name) or Bucket(self._rate, self._burst, self._clock)
        self._kept[name] = bucket
        self._kept.move_to_end(name)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return bucket


def source(address: str) -> str:
    """Whose an address is taken to be: the machine's own are one, and one network has many of IPv6."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return "loopback"
    if ip.version == 6:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
