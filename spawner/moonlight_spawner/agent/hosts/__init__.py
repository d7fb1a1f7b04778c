"""Streaming hosts behind one interface."""

from __future__ import annotations

from .base import Host, HostContext, HostFailed


def host_named(name: str) -> type[Host]:
    """Loaded when it is asked for: a session has one of them.

    Raises
    ------
    KeyError
        There is none of that name.
    """
    if name == "selkies":
        from .selkies import SelkiesHost

        return SelkiesHost
    if name == "sunshine":
        from .sunshine import SunshineHost

        return SunshineHost
    raise KeyError(name)


__all__ = ["Host", "HostContext", "HostFailed", "host_named"]
