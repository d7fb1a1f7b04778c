"""Whether the kernel gives ports of the sessions to connections that go out.

One that is in use makes a whole block of no use, and a session that finds no free block does not start.
"""

from __future__ import annotations

from pathlib import Path

from ..site.options import MoonlightSite
from .finding import Finding

#: Of ip-sysctl: from which port to which the kernel gives, and which of them it does not.
FILES = (
    "/proc/sys/net/ipv4/ip_local_port_range",
    "/proc/sys/net/ipv4/ip_local_reserved_ports",
)


async def outgoing(site: MoonlightSite) -> Finding:
    """Not a fault: a session takes the next block, as long as there is one."""
    name, range_ = "port range", f"{site.port_min}-{site.port_max}"
    try:
        text, fix = given_away(site, *(Path(file).read_text() for file in FILES))
    except (OSError, ValueError) as e:
        return Finding(name, True, f"{range_}; what the kernel gives away is not told: {e}")
    if text:
        return Finding(name, True, text, fix, odd=True)
    return Finding(name, True, f"{range_} is not given to outgoing connections")


def given_away(site: MoonlightSite, given: str, reserved: str) -> tuple[str, str]:
    """What is said by the two files, and what to do about it; empty if nothing is to be done.

    Raises
    ------
    ValueError
        They are not as Linux writes them.
    """
    first, last = map(int, given.split())
    kept = _ports(reserved)
    ours = range(site.port_min, site.port_max + 1)
    lost = sum(first <= port <= last and port not in kept for port in ours)
    if not lost:
        return "", ""
    text = f"{lost} ports of {site.port_min}-{site.port_max} may be given to outgoing connections"
    wanted = ",".join(_ranges(kept | set(ours)))  # what is reserved already has to stay so
    fix = "Put `net.ipv4.ip_local_reserved_ports = "
    return text, f"{fix}{wanted}` into /etc/sysctl.d/90-moonlight.conf, then run sysctl --system."


def _ports(text: str) -> set[int]:
    """``8080,9148-9150``, as the kernel writes it."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _ranges(ports: set[int]) -> list[str]:
    found: list[list[int]] = []
    for port in sorted(ports):
        if found and found[-1][1] == port - 1:
            found[-1][1] = port
        else:
            found.append([port, port])
    return [f"{first}-{last}" if first != last else f"{first}" for first, last in found]
