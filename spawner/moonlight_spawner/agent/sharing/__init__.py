"""A running desktop shown to others by its owner: who is invited, and what of the desktop reaches them.

Of the host, a guest gets the stream as its own viewer has it, and the files of its client; what he types
goes by a way of the gateway's own, as long as his invitation lets it (:mod:`.guard`, :mod:`.hands`).
"""

from .guests import Guests
from .invitations import Invitations

__all__ = ["Guests", "Invitations"]
