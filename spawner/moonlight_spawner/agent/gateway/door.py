"""Who may pass: the session's token, as a bearer or exchanged once for a cookie."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections import OrderedDict, deque
from urllib.parse import parse_qs

from ...relay import gate
from ...relay import headers as h
from ...relay.incoming import Request
from ...relay.knock import knock
from ...relay.origin import comes_by_https, is_own

MAX_LOGIN_BYTES = 4096
_KNOCK = re.compile(rb"[0-9a-f]{32}\.session")
_BEARER = re.compile(rb"\r\nauthorization: *bearer +([^\s]+)", re.IGNORECASE)
_MOST_SHOWN = 8
_FAILURES, _WINDOW_SECONDS, _PEERS = 10, 60.0, 1024


class Door:
    """Checks the token of one session.

    The cookie holds a random value of this gateway, not the token, and ends with the gateway; so does
    ``page``, which the session's own page has in memory and no other page (:mod:`.gate`). The
    token has 256 bits, so guessing is hopeless; wrong guesses are slowed down per address all the
    same, and never lock out the right token.
    """

    def __init__(self, token: str, session_id: str):
        self._token = token.encode()
        self._cookie = secrets.token_urlsafe(32)
        self.page = secrets.token_urlsafe(32)
        self._knock = knock(self._token)
        self._cookie_name = "moonlight_" + re.sub(r"[^a-z0-9]", "", session_id[-10:])
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def knows(self, words: bytes) -> bool:
        """Whether the first words of a connection are of somebody who knows the session's secrets.

        It opens nothing; see :mod:`moonlight_spawner.relay.knock`.
        """
        found = [(m[0].decode(), self._knock) for m in _KNOCK.finditer(words)]
        found += [(m[1].decode("latin-1"), self._token.decode()) for m in _BEARER.finditer(words)]
        cookie = re.compile(re.escape(self._cookie_name.encode()) + rb"=([^;\s]+)")
        found += [(m[1].decode("latin-1"), self._cookie) for m in cookie.finditer(words)]
        return any(_same(shown, secret) for shown, secret in found[:_MOST_SHOWN])

    def admits(self, request: Request) -> bool:
        """Whether the request carries the bearer or the cookie."""
        return self.has_bearer(request) or self.has_cookie(request)

    def has_bearer(self, request: Request) -> bool:
        scheme, _, value = h.get(request.headers, b"authorization").partition(" ")
        return scheme.lower() == "bearer" and self._is_token(value.strip())

    def has_cookie(self, request: Request) -> bool:
        """Whether one of the request's cookies is this gateway's.

        Taken apart by hand: SimpleCookie gives up at the first cookie it does not like, and any
        application of the portal may have set one. A browser sends an older one of ours as well.
        """
        pairs = [
            part.strip().partition(b"=")
            for name, value in request.headers
            if name == b"cookie"
            for part in value.split(b";")
        ]
        return any(
            name == self._cookie_name.encode() and hmac.compare_digest(value, self._cookie.encode())
            for name, _, value in pairs
        )

    def has_page(self, request: Request) -> bool:
        """Whether the session's own page sent this."""
        return self.is_page_token(gate.token_of(request))

    def is_page_token(self, shown: str) -> bool:
        return _same(shown, self.page)

    def login(self, body: bytes, peer: str) -> int:
        """HTTP status for a login form: 303 if the token is right, else 403 or 429."""
        try:
            fields = parse_qs(body.decode("ascii"), max_num_fields=4)
        except ValueError:
            fields = {}
        if self._is_token((fields.get("token") or [""])[0]):
            self._failures.pop(peer, None)
            return 303
        return 429 if self._too_many(peer) else 403

    def set_cookie(self, secure: bool) -> bytes:
        """The Set-Cookie header, without a path: then a browser sends the cookie below the very
        address that it sent its login to (RFC 6265, 5.1.4), and to no other session.

        The gateway does not know that address. A proxy may have taken a part of it away, and then
        ``/`` would be all pages of the portal; and of a link that somebody else has made, what
        looks like the session's path may be his.
        """
        cookie = f"{self._cookie_name}={self._cookie}; HttpOnly; SameSite=Strict"
        return (cookie + "; Secure" if secure else cookie).encode()

    def same_origin(self, request: Request, tls: bool) -> bool:
        """Whether a browser sent this from a page of the same host, or says nothing of a page.

        A bearer is not sent by a browser on its own; a cookie is, so with a cookie this is asked.
        """
        origin = h.get(request.headers, b"origin")
        if not origin:
            return True
        hosts = {h.get(request.headers, b"host")}
        hosts |= {
            part.strip() for part in h.get(request.headers, b"x-forwarded-host").split(",") if part
        }
        return is_own(origin, hosts, comes_by_https(request.headers, tls))

    def from_this_site(self, request: Request, tls: bool) -> bool:
        """Whether a login comes from a portal: a page of another site would send a token of its own
        owner's, and have somebody type into that one's desktop.

        A portal may have a host for its nodes beside the dashboard's (Fetch Metadata: same-site).
        """
        site = h.get(request.headers, b"sec-fetch-site")
        return site != "cross-site" if site else self.same_origin(request, tls)

    def _is_token(self, value: str) -> bool:
        return _same(value, self._token.decode())

    def _too_many(self, peer: str) -> bool:
        recent = self._failures.setdefault(peer, deque(maxlen=_FAILURES))
        self._failures.move_to_end(peer)
        while len(self._failures) > _PEERS:
            self._failures.popitem(last=False)
        full = len(recent) == _FAILURES and time.monotonic() - recent[0] < _WINDOW_SECONDS
        recent.append(time.monotonic())
        return full


def _same(shown: str, secret: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "replace"), secret.encode())
