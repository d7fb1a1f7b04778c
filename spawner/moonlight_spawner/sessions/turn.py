"""Short-lived TURN credentials by the shared-secret scheme of coturn (``use-auth-secret``)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time


def turn_credentials(secret: str, name: str, seconds: int) -> tuple[str, str]:
    """User name and password that a TURN server with that secret takes for ``seconds``.

    The name is ``<expiry>:<name>``, the password the base64 of HMAC-SHA1 over it (coturn's
    documentation of ``static-auth-secret``, after draft-uberti-behave-turn-rest).
    """
    username = f"{int(time.time()) + seconds}:{name}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()
