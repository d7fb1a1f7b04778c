"""Short-lived TURN credentials by the shared-secret scheme of coturn (``use-auth-secret``)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from pathlib import Path

from ..model.records import TurnCredentials
from ..model.session import Resources, now
from ..site.options import MoonlightSite

log = logging.getLogger(__name__)

#: Credentials are made at the launch, and the job may wait before its time begins to count.
QUEUE_SECONDS = 24 * 3600


def turn_credentials(secret: str, name: str, seconds: int) -> tuple[str, str]:
    """User name and password that a TURN server with that secret takes for ``seconds``.

    The name is ``<expiry>:<name>``, the password the base64 of HMAC-SHA1 over it (coturn's
    documentation of ``static-auth-secret``, after draft-uberti-behave-turn-rest).
    """
    username = f"{int(time.time()) + seconds}:{name}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()


def made_for(site: MoonlightSite, name: str, seconds: float) -> TurnCredentials | None:
    """With the site's secret; None where there is no TURN, or who runs this cannot read the secret: the
    log says so."""
    if not (site.webrtc and site.turn_uris and site.turn_secret_file):
        return None
    try:
        secret = Path(site.turn_secret_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        log.warning("no TURN for this session: %s cannot be read: %s", site.turn_secret_file, e)
        return None
    if not secret:
        log.warning("no TURN for this session: %s is empty", site.turn_secret_file)
        return None
    username, credential = turn_credentials(secret, name, round(seconds))
    return TurnCredentials(username=username, credential=credential)


def lasting(request: Resources) -> float:
    """Seconds from its launch in which a session that asks for this should be over."""
    wait = max(0.0, (request.begin - now()).total_seconds()) if request.begin else 0.0
    return request.minutes * 60 + wait + QUEUE_SECONDS
