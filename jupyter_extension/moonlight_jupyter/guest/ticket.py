"""What a page of this server has that was let in at another user's desktop: signed, and kept by it alone.

The client stands in a frame of no origin, whose WebSockets come without Jupyter's cookies. So the ticket
itself says who it is: it is given to who is logged in, and good for that one desktop's stream.
"""

from __future__ import annotations

import base64
import binascii
import json

from moonlight_spawner.model.session import now
from moonlight_spawner.sessions.invited import Invited
from pydantic import ValidationError
from tornado.web import create_signed_value, decode_signed_value

_NAME = "moonlight-guest"
_DAYS = 8  # longer than any invitation


def seal(secret: str | bytes, user: str, invited: Invited) -> str:
    """A word that may be a WebSocket's subprotocol."""
    data = json.dumps([user, invited.model_dump(mode="json")])
    sealed = create_signed_value(secret, _NAME, data)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def unseal(secret: str | bytes, ticket: str) -> tuple[str, Invited] | None:
    """Whose it is, and for what; None if it does not count, or no more."""
    try:
        sealed = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
        data = decode_signed_value(secret, _NAME, sealed, max_age_days=_DAYS)
        user, said = json.loads(data or b"null")
        invited = Invited.model_validate(said)
    except (ValueError, TypeError, binascii.Error, ValidationError):
        return None
    return (str(user), invited) if invited.until > now() else None
