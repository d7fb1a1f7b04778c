"""A desktop of another user's, shown to this server's user: he brings the invitation, his own server goes
there for him, and the page and the client are this server's.

The two users are each other's adversaries. The owner's gateway holds its guest to looking on, and to keys and
pointer while it lets him. This server passes on nothing of the gateway but the bytes of two WebSockets: they
are read by our page as data, and by the host's client in a frame that is of no origin, so that
nothing that an owner sends there is a script of this server's pages.
"""

from .handlers import HANDLERS

__all__ = ["HANDLERS"]
