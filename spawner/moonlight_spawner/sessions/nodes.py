"""Which addresses may be a node's, where somebody says so whom nobody has to believe."""

from __future__ import annotations

import ipaddress
import re

# The last part of a host's name begins with a letter: getaddrinfo takes 2130706433 for an address.
_HOST = re.compile(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z][A-Za-z0-9_-]{0,62}\.?", re.ASCII)
_LOCALHOST = re.compile(r"(.*\.)?localhost|.*\.localdomain|ip6-(localhost|loopback)", re.I)


def no_nodes_address(host: str, local: bool) -> str:
    """What it is in place of a node's address: ``none``, ``no node's`` or ``here``, which is this machine
    itself and may be a node where sessions are its processes (``local``); empty if it may be a node's."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if len(host) > 253 or not _HOST.fullmatch(host):
            return "none"
        return "here" if not local and _LOCALHOST.fullmatch(host.rstrip(".")) else ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_multicast or address.is_unspecified:
        return "no node's"
    return "here" if not local and address.is_loopback else ""
