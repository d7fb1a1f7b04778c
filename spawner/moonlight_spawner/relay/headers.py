"""Which headers pass a relay, and which never do."""

from __future__ import annotations

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}

# What belongs to the portal and its user's login, never to the streaming host behind it.
# Referer may carry a portal's token in its query.
_PORTAL = {
    b"authorization",
    b"cookie",
    b"forwarded",
    b"origin",
    b"referer",
    b"x-xsrftoken",
    b"x-csrftoken",
    b"x-moonlight-page",
    b"x-forwarded-user",
    b"x-forwarded-email",
    b"x-forwarded-access-token",
    b"x-remote-user",
    b"remote-user",
}

_PORTAL_PREFIXES = (b"x-auth-request-", b"x-forwarded-", b"x-jupyterhub-", b"x-amzn-oidc-")

_ORIGIN_WIDE = {
    b"set-cookie",
    b"clear-site-data",
    b"service-worker-allowed",
    b"strict-transport-security",
    b"server",
    b"date",
}

_WEBSOCKET = (
    b"sec-websocket-key",
    b"sec-websocket-version",
    b"sec-websocket-extensions",
    b"sec-websocket-protocol",
)


def for_host(headers: Iterable[tuple[bytes, bytes]], extra: Headers) -> Headers:
    """Request headers as the streaming host may see them; ``extra`` replaces equal names."""
    kept = _without(headers, _PORTAL, extra)
    return [(n, v) for n, v in kept if not n.startswith(_PORTAL_PREFIXES)] + extra


def for_gateway(headers: Iterable[tuple[bytes, bytes]], extra: Headers) -> Headers:
    """Request headers from the portal to the gateway: the portal's login stays with the portal."""
    return for_host(headers, extra)


def for_browser(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Response headers as the browser may see them.

    What speaks for a whole origin is the portal's to say: hosts of all users share it.
    """
    kept = _without(headers, _ORIGIN_WIDE, [])
    return [(n, v) for n, v in kept if not n.startswith(b"access-control-")]


def websocket_request(headers: Iterable[tuple[bytes, bytes]], extra: Headers) -> Headers:
    """The handshake for the next hop: the browser's own key, extensions and subprotocols.

    They are passed as they are, so that both ends agree with each other and frames need no change.
    """
    kept = [(n, v) for n, v in headers if n in _WEBSOCKET or n == b"user-agent"]
    return [*kept, (b"connection", b"Upgrade"), (b"upgrade", b"websocket"), *extra]


def websocket_response(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The host's agreement to a handshake, for the browser."""
    kept = [(n, v) for n, v in headers if n.startswith(b"sec-websocket-")]
    return [(b"connection", b"Upgrade"), (b"upgrade", b"websocket"), *kept]


def get(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The first header of that (lower-case) name as text, empty if there is none."""
    return next((v.decode("latin-1") for n, v in headers if n == name), "")


def is_websocket(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    headers = list(headers)
    return (
        get(headers, b"upgrade").lower() == "websocket"
        and "upgrade" in get(headers, b"connection").lower()
    )


def _without(headers: Iterable[tuple[bytes, bytes]], names: set[bytes], extra: Headers) -> Headers:
    headers = [(n.lower(), v) for n, v in headers]
    named = {
        token.strip().lower() for n, v in headers if n == b"connection" for token in v.split(b",")
    }
    drop = _HOP_BY_HOP | names | named | {n for n, _ in extra} | {b"host"}
    return [(n, v) for n, v in headers if n not in drop]
