"""How the portal is told from a crowd before it has said anything: the name in its TLS greeting.

A TLS client begins with the name of whom it wants (SNI, RFC 6066), in the clear. The portal names
what only the session's token gives, so the gateway lets it in at once while strangers wait their
turn. Who has listened on the way may name it too, and gets no further than the front of the queue:
the name opens nothing, and the token cannot be worked out from it.
"""

from __future__ import annotations

import hashlib
import hmac

_PURPOSE = b"moonlight-hpc client hello"
_DIGITS = 32  # 128 bits, of the 63 characters of a host name's part


def knock(token: bytes) -> str:
    """The name for the TLS greeting to the gateway of the session with this token."""
    return hmac.new(token, _PURPOSE, hashlib.sha256).hexdigest()[:_DIGITS] + ".session"
