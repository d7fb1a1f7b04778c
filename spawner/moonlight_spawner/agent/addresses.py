"""Under which addresses the portal reaches this node."""

from __future__ import annotations

import ipaddress
import os
import socket

import psutil

# Networks inside the node: nobody outside reaches them.
_INSIDE = ("docker", "virbr", "veth", "br-", "cni", "flannel", "podman", "lxc")


class NoSuchAddress(Exception):
    """The site's ``gateway_address`` names nothing on this node."""


def listen_and_announce(setting: str) -> tuple[str, list[str]]:
    """The address to bind, and names or addresses to reach it under, best first.

    ``setting`` is an address (``0.0.0.0`` for all) or a network such as ``10.1.0.0/16``: the
    node's own address in that network is bound then.

    Raises
    ------
    NoSuchAddress
    """
    if "/" in setting:
        network = ipaddress.ip_network(setting, strict=False)
        for address in _own_addresses():
            if ipaddress.ip_address(address) in network:
                return address, [address]
        raise NoSuchAddress(
            f"gateway_address is {setting}, but node {os.uname().nodename} has no address in that "
            f"network; it has {', '.join(_own_addresses()) or 'none'}."
        )
    if setting in ("0.0.0.0", "::"):
        return setting, [os.uname().nodename, *_own_addresses()]
    return setting, [setting]


def native_address(setting: str) -> str | None:
    """The IPv4 address under which native clients reach this node, None if it has none.

    ``setting`` is as above. A gateway on the loopback is there for a portal on the same machine,
    while a client comes from outside: it gets the machine's first address, and the loopback only
    where there is no other.
    """
    address, _ = listen_and_announce(setting)
    own = ipaddress.ip_address(address)
    if own.is_unspecified or own.is_loopback:
        return next(iter(_own_addresses()), None)
    return address if own.version == 4 else None


def _own_addresses() -> list[str]:
    """IPv4 addresses of the node's interfaces; those of the loopback come last."""
    found = [
        address.address
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family == socket.AF_INET
        and not name.startswith(_INSIDE)
        and not address.address.startswith("169.254.")
    ]
    return sorted(found, key=lambda a: ipaddress.ip_address(a).is_loopback)
