"""Streaming hosts behind one interface."""

from .base import Host, HostContext, HostFailed
from .selkies import SelkiesHost
from .sunshine import SunshineHost

HOSTS: dict[str, type[Host]] = {"selkies": SelkiesHost, "sunshine": SunshineHost}

__all__ = ["HOSTS", "Host", "HostContext", "HostFailed"]
