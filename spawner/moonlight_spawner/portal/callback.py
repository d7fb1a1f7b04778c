"""Whose word a session's agent brings to the portal's service: told by its token, without any state.

The service gives a user's side a seed at each launch, and that makes the session's token of it; so each
service with the same key knows the token again. With it somebody can say things of this session and do
nothing else. A user may make tokens for all ids of his form: of his sessions he may say anything.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..model.said import said_by
from ..site.options import MoonlightSite

#: Below the service's base.
PATH = "api/moonlight/callback/"
#: A user's name, which may have any signs, and a secret.
SEED = r"^[A-Za-z0-9_-]{2,400}\.[0-9a-f]{64}$"
MOST_SEED_SIGNS = 500
MOST_CA_BYTES = 64 << 10
_TOKEN = re.compile(SEED, re.ASCII)


class Callbacks:
    """``keys`` are the service's own: the first one makes, all are known again.

    Raises
    ------
    ValueError
        The site's CA file does not do.
    """

    def __init__(self, site: MoonlightSite, keys: Sequence[bytes]):
        self._keys = list(keys)
        self._url = ""
        if site.portal_callback_url:
            self._url = f"{site.portal_callback_url}{site.portal_base_url}{PATH}"
        self._ca = _certificates(site.portal_callback_ca_file)

    @property
    def private(self) -> bool:
        """Whether nobody on the way reads tokens, or puts words into an agent's mouth."""
        return self._url.startswith("https:")

    def given_to(self, user: str) -> dict[str, Any] | None:
        """What a launch of this user's is given (:class:`.protocol.CallbackFor`); None: nothing."""
        if not self._url:
            return None
        return {"url": self._url, "seed": _seed(self._keys[0], user), "ca": self._ca}

    def user_of(self, token: str, session_id: str) -> str | None:
        """Who says something of this session with ``token``; None if it is not that session's."""
        if not self._url or len(token) > MOST_SEED_SIGNS or not _TOKEN.fullmatch(token):
            return None
        try:
            user = base64.urlsafe_b64decode(_padded(token.partition(".")[0])).decode(
                "utf-8", "surrogateescape"
            )
        except ValueError:
            return None
        right = False
        for key in self._keys:
            right |= hmac.compare_digest(token, token_of(_seed(key, user), session_id))
        return user if right else None


def token_of(seed: str, session_id: str) -> str:
    """The token of one session."""
    user, _, secret = seed.partition(".")
    return f"{user}.{_mac(secret.encode(), session_id)}"


def _seed(key: bytes, user: str) -> str:
    name = base64.urlsafe_b64encode(user.encode("utf-8", "surrogateescape")).decode().rstrip("=")
    # The key has other uses, each with words of its own.
    return f"{name}.{_mac(key, f'moonlight-hpc callback|{user}')}"


def _mac(key: bytes, words: str) -> str:
    return hmac.new(key, words.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)


def _certificates(path: str) -> str | None:
    """The CA certificates in a file, as text: nodes need not see the file."""
    if not path:
        return None
    name = f"{path} (portal_callback_ca_file)"
    try:
        text = Path(path).read_text("ascii")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except OSError as e:  # of ssl as well
        raise ValueError(f"{name} cannot be used: {said_by(e)}.") from e
    except ValueError as e:
        raise ValueError(f"{name} cannot be used: it has no certificates in PEM.") from e
    if len(text) > MOST_CA_BYTES:
        raise ValueError(f"{name} has {len(text)} bytes; at most {MOST_CA_BYTES} are taken.")
    return text
