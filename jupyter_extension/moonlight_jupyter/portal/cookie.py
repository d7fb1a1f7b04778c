"""Our own login: what a browser keeps in the place of the portal's token.

A page, an EventSource and a WebSocket cannot send a header. The cookie holds who it is and until when,
encrypted with the service's key, so that every service with that key takes it.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from moonlight_spawner.site.service_files import service_keys

from .refusals import LoginOver, LoginRefused
from .tokens import Claims

NAME = "moonlight-login"
#: Browsers keep 4096 bytes, with the name and what is said about it.
MOST_BYTES = 3800
_MOST_ENDED = 100_000


@dataclass(frozen=True)
class Login:
    """``token``: the portal's, where it has to be asked about again."""

    id: str
    claims: Claims
    token: str | None


class LoginCookies:
    """Makes them and reads them."""

    def __init__(self, key_file: Path):
        self._fernet = MultiFernet([_fernet(line) for line in service_keys(key_file)])
        #: Logins that were ended before their time, until then.
        self._ended: dict[str, float] = {}

    def make(self, claims: Claims, token: str | None) -> str:
        """
        Raises
        ------
        LoginRefused
            It would be too long for a cookie.
        """
        said = {
            "id": secrets.token_urlsafe(12),
            "user": claims.user,
            "admin": claims.admin,
            "until": claims.until,
            "token": token,
        }
        value = self._fernet.encrypt(zlib.compress(json.dumps(said).encode(), 9)).decode()
        if len(value) > MOST_BYTES:
            raise LoginRefused(
                f"The token is too long to be kept in a cookie, which has room for {MOST_BYTES} bytes "
                f"and would need {len(value)}. It has to be kept to be asked about "
                "(portal_revocation_url); the portal has to put less into it."
            )
        return value

    def read(self, value: str) -> Login:
        """
        Raises
        ------
        LoginRefused
        """
        try:
            said = json.loads(zlib.decompress(self._fernet.decrypt(value.encode())))
        except (InvalidToken, UnicodeEncodeError) as e:  # of another key, or nobody's
            raise LoginOver("The login does not count any more. Log in again.") from e
        claims = Claims(said["user"], said["admin"], said["until"])
        if claims.until <= time.time() or said["id"] in self._ended:
            raise LoginOver("The login is over. Log in again.")
        return Login(said["id"], claims, said["token"])

    def end(self, login_id: str, until: float) -> None:
        """A copy of this one counts no more, at this service."""
        now = time.time()
        if len(self._ended) >= _MOST_ENDED:
            self._ended = {i: u for i, u in self._ended.items() if u > now}
        while len(self._ended) >= _MOST_ENDED:
            del self._ended[min(self._ended, key=lambda i: self._ended[i])]
        self._ended[login_id] = until


def _fernet(key: bytes) -> Fernet:
    """A key for logins alone: what else is encrypted with the service's key is no login."""
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"moonlight-hpc login")
    return Fernet(base64.urlsafe_b64encode(kdf.derive(key)))
