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

    ``setting`` is an address (``0.0.0.0`` for all of IPv4, ``::`` for all of both families) or a
    network such as ``10.1.0.0/16`` or ``fd00:10::/64``: the node's own address in that network is
    bound then.

    Raises
    ------
    NoSuchAddress
    """
    if "/" in setting:
        network = ipaddress.ip_network(setting, strict=False)
        own = _own_addresses(network.version)
        for address in own:
            if ipaddress.ip_address(address) in network:
                return address, [address]
        raise NoSuchAddress(
            f"gateway_address is {setting}, but node {os.uname().nodename} has no address in that "
            f"network; of IPv{network.version} it has {', '.join(own) or 'none'}."
        )
    if setting == "0.0.0.0":
        return setting, [os.uname().nodename, *_own_addresses(4)]
    if setting == "::":
        return setting, [os.uname().nodename, *_own_addresses(4), *_own_addresses(6)]
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
        return next(iter(_own_addresses(4)), None)
    return address if own.version == 4 else None


def _own_addresses(version: int) -> list[str]:
    """The node's addresses of that version of IP; those of the loopback come last.

    Those of one link only are left out: they mean nothing without the name of an interface, and that
    is another one at the other end.
    """
    family = {4: socket.AF_INET, 6: socket.AF_INET6}[version]
    found = [
        ipaddress.ip_address(address.address)
        for name, addresses in psutil.net_if_addrs().items()
        for address in addresses
        if address.family == family and "%" not in address.address
        if not name.startswith(_INSIDE)
    ]
    kept = [address for address in found if not address.is_link_local]
    return [str(address) for address in sorted(kept, key=lambda a: a.is_loopback)]
