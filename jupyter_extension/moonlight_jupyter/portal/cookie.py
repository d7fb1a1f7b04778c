"""Our own login: what a browser keeps in the place of the portal's token.

A page, an EventSource and a WebSocket cannot send a header. The cookie holds who it is and until when,
encrypted with the service's key, so that every service with that key takes it.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from .refusals import LoginOver, LoginRefused
from .sealed import Sealed
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
        # A key for logins alone: what else is sealed with the service's key is no login.
        self._sealed = Sealed(key_file, b"moonlight-hpc login")
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
        value = self._sealed.seal(said)
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
            said = self._sealed.read(value)
        except ValueError as e:
            raise LoginOver("The login does not count any more. Log in again.") from e
        claims = Claims(said["user"], said["admin"], said["until"])
        self.check(said["id"], claims.until)
        return Login(said["id"], claims, said["token"])

    def check(self, login_id: str | None, until: float) -> None:
        """
        Raises
        ------
        LoginOver
        """
        if until <= time.time() or login_id in self._ended:
            raise LoginOver("The login is over. Log in again.")

    def end(self, login_id: str, until: float) -> None:
        """A copy of this one counts no more, at this service."""
        now = time.time()
        if len(self._ended) >= _MOST_ENDED:
            self._ended = {i: u for i, u in self._ended.items() if u > now}
        while len(self._ended) >= _MOST_ENDED:
            del self._ended[min(self._ended, key=lambda i: self._ended[i])]
        self._ended[login_id] = until
