"""Who is asking: told by the portal's token or by our own login, and by nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_server.auth import IdentityProvider, User
from moonlight_spawner.site.options import MoonlightSite

from . import cookie
from .accounts import Accounts
from .cookie import LoginCookies
from .refusals import LoginOver, LoginRefused, LoginUnclear
from .revocation import Revocation
from .tokens import Claims, Verifier

#: How often it is looked whether the login of who has something open still counts.
_LOOK_SECONDS = 15.0


@dataclass
class PortalUser(User):
    """``until``: when the login ends, in seconds since 1970. ``login_id``: that of our own. ``kept``: the
    portal's token, where it has to be asked about again."""

    admin: bool = False
    until: float = 0.0
    login_id: str | None = None
    kept: str | None = field(default=None, repr=False)


class PortalIdentity(IdentityProvider):
    """For ``moonlight-hpc serve``.

    What is brought first decides alone, of: a bearer token, the site's own cookie with a token, our
    login. So who has changed hands at the portal is not taken for the one before.
    """

    # Jupyter's own ways to log in are none here.
    token = ""
    auth_enabled = True
    login_available = False
    logout_available = False

    def __init__(self, site: MoonlightSite, **kwargs: Any):
        super().__init__(**kwargs)
        self.site = site
        self.cookies = LoginCookies(Path(site.portal_key_file))
        self._verifier = Verifier(site)
        self._accounts = Accounts(site.portal_min_uid)
        self._revocation = Revocation(site.portal_revocation_url, site.portal_revocation_seconds)
        self._told_of_end: dict[str | None, set[asyncio.Event]] = {}

    async def get_user(self, handler: Any) -> PortalUser | None:
        """The user; None where nothing counts: ``handler.login_refusal`` says why."""
        handler.login_refusal = None
        try:
            user = await self._find(handler)
        except LoginRefused as e:
            handler.login_refusal = e
            return None
        return user

    def is_token_authenticated(self, handler: Any) -> bool:
        """Whether it came in a header, which no other site's page can make a browser send."""
        return handler.current_user is not None and bearer(handler) is not None

    def should_check_origin(self, handler: Any) -> bool:
        return not self.is_token_authenticated(handler)

    def login(self, handler: Any, user: PortalUser) -> str:
        """A login for who came with a token: the cookie's value.

        Raises
        ------
        LoginRefused
        """
        until = min(user.until, time.time() + self.site.portal_login_hours * 3600)
        if until <= time.time():  # within the clock's skew
            raise LoginOver("The login is over: the token has expired. Log in again.")
        user.until = until
        kept = bearer(handler) if self._revocation.used else None
        return self.cookies.make(Claims(user.username, user.admin, until), kept)

    def logout(self, user: PortalUser) -> None:
        """End our own login before its time, at this service."""
        if user.login_id:
            self.cookies.end(user.login_id, user.until)
            for event in self._told_of_end.get(user.login_id, ()):
                event.set()

    async def account(self, name: str) -> None:
        """Look whether that is a user's name.

        Raises
        ------
        LoginRefused
        """
        await self._accounts.check(name)

    async def confirm(self, user: PortalUser) -> None:
        """Look whether a login that counted counts still.

        Raises
        ------
        LoginRefused
        """
        self.cookies.check(user.login_id, user.until)
        if self._revocation.used:
            if user.kept is None:
                raise LoginOver("The login is over. Log in again.")
            await self._revocation.check(user.kept)
        await self._accounts.check(user.username)

    async def until_over(self, user: PortalUser) -> None:
        """Wait until this login counts no more. What cannot be found out meanwhile ends nothing."""
        ended = asyncio.Event()
        told = self._told_of_end.setdefault(user.login_id, set())
        told.add(ended)
        try:
            while True:
                with contextlib.suppress(LoginUnclear):
                    await self.confirm(user)
                if ended.is_set():
                    return
                pause = max(0.0, min(_LOOK_SECONDS, user.until - time.time()))
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(ended.wait(), pause)
        except LoginRefused:
            return
        finally:
            told.discard(ended)
            if not told:
                self._told_of_end.pop(user.login_id, None)

    async def _find(self, handler: Any) -> PortalUser | None:
        site_cookie = self.site.portal_token_cookie
        token = bearer(handler)
        if token is None and site_cookie:
            token = handler.get_cookie(site_cookie)
        if token is not None:
            claims = await self._verifier.claims(token)
            await self._revocation.check(token)
            return await self._user(claims, None, token)
        value = handler.get_cookie(cookie.NAME)
        if value is None:
            return None
        login = self.cookies.read(value)
        if self._revocation.used:
            if login.token is None:  # from before the site began to ask
                raise LoginOver("The login is over. Log in again.")
            await self._revocation.check(login.token)
        return await self._user(login.claims, login.id, login.token)

    async def _user(self, claims: Claims, login_id: str | None, token: str | None) -> PortalUser:
        await self._accounts.check(claims.user)
        kept = token if self._revocation.used else None
        return PortalUser(
            claims.user, admin=claims.admin, until=claims.until, login_id=login_id, kept=kept
        )


def bearer(handler: Any) -> str | None:
    """The token in the header ``Authorization`` (RFC 6750), None if there is none."""
    scheme, _, token = handler.request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
