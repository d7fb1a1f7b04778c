"""Coming and going: a token exchanged for our login, and the way to the portal's own page for that."""

from __future__ import annotations

import datetime
import re
import time
from http.cookies import Morsel
from typing import Any
from urllib.parse import quote

from jupyter_server.auth.decorator import allow_unauthenticated
from moonlight_spawner.relay.origin import comes_by_https
from tornado.web import HTTPError

from ..base import MoonlightAPIHandler
from . import cookie
from .identity import PortalIdentity, PortalUser
from .refusals import LoginRefused

#: Below these a browser sends our cookie.
PATHS = ("moonlight", "api/moonlight")
_PAGE = re.compile(r"moonlight/(?:join/?|sessions/[A-Za-z0-9_-][A-Za-z0-9._-]*/?)?", re.ASCII)
_QUERY = re.compile(r"[A-Za-z0-9_.=&-]*", re.ASCII)


class LoginHandler(MoonlightAPIHandler):
    """``POST /api/moonlight/login``"""

    def check_xsrf_cookie(self) -> None:
        """Only a token in a header counts here, which no other site's page can send."""

    @allow_unauthenticated
    async def post(self) -> None:
        identity: PortalIdentity = self.identity_provider
        user: PortalUser | None = self.current_user
        if user is None or not self.token_authenticated:
            raise getattr(self, "login_refusal", None) or LoginRefused(
                "No token was sent. It belongs into the header: Authorization: Bearer TOKEN."
            )
        _set(self, identity.login(self, user), user.until)
        self.xsrf_token  # noqa: B018  # sets the cookie that the page sends back
        self.set_header("Cache-Control", "no-store")
        expires = datetime.datetime.fromtimestamp(user.until, datetime.timezone.utc)
        self.finish(
            {
                "user": user.username,
                "admin": user.admin,
                "expires_at": expires.isoformat(timespec="seconds").replace("+00:00", "Z"),
                "page": f"{self.base_url}moonlight/",
            }
        )


class LogoutHandler(MoonlightAPIHandler):
    """``POST /api/moonlight/logout``"""

    @allow_unauthenticated
    async def post(self) -> None:
        user: PortalUser | None = self.current_user
        if user is not None:
            self.identity_provider.logout(user)
        _set(self, "", 0.0)
        self.set_status(204)
        self.finish()


def send_to_login(handler: Any) -> None:
    """Redirect a browser to the portal's login, with the way back to this page of ours.

    Raises
    ------
    HTTPError
    """
    address = login_address(handler)
    handler.set_header("Cache-Control", "no-store")
    handler.redirect(address)


def login_address(handler: Any) -> str:
    """The portal's login, with the way back to this page of ours.

    Raises
    ------
    HTTPError
        There is no such address, or another login would not help.
    """
    site = handler.identity_provider.site
    refusal: LoginRefused | None = getattr(handler, "login_refusal", None)
    if refusal and not refusal.again:
        raise HTTPError(503 if refusal.code == "token_unclear" else 403, "%s", refusal.message)
    if not site.portal_login_url:
        raise HTTPError(403, "You are not logged in. Log in at the portal, then come back.")
    back = quote(site.portal_url + way_back(handler), safe="")
    return str(site.portal_login_url.replace("{next}", back))


def way_back(handler: Any) -> str:
    """The path of the page that was asked for. Only what a page of ours can look like is repeated,
    and no host: a request may say what it likes of both."""
    base: str = handler.base_url
    path, query = handler.request.path, handler.request.query
    rest = path[len(base) :] if path.startswith(base) else ""
    if not _PAGE.fullmatch(rest):
        return f"{base}moonlight/"
    return base + rest + (f"?{query}" if query and _QUERY.fullmatch(query) else "")


def _set(handler: Any, value: str, until: float) -> None:
    """Our cookie, for each of our paths: of one name, which tornado's own would allow once only."""
    headers = [
        (n.lower().encode("latin-1"), v.encode("latin-1"))
        for n, v in handler.request.headers.get_all()
    ]
    https = comes_by_https(headers, handler.request.protocol == "https")
    for path in PATHS:
        morsel: Morsel[str] = Morsel()
        morsel.set(cookie.NAME, value, value)
        morsel["path"] = handler.base_url + path
        morsel["max-age"] = max(0, int(until - time.time()))
        morsel["httponly"] = True
        morsel["samesite"] = "Lax"  # a link to the page of a desktop opens it
        if https or handler.identity_provider.site.portal_url.startswith("https:"):
            morsel["secure"] = True
        handler.add_header("Set-Cookie", morsel.OutputString())


HANDLERS = [
    ("/api/moonlight/login", LoginHandler),
    ("/api/moonlight/logout", LogoutHandler),
]
