"""The session's only open HTTP port: it checks who comes, then relays to the streaming host."""

from .server import Gateway

__all__ = ["Gateway"]
