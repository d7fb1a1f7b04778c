"""What the cookie alone opens, and what wants the page's own token besides.

A cookie goes with every request of every page of its origin, and behind Open OnDemand's ``/node`` the
pages of all users are one origin. So the cookie opens what shows nothing (the host's scripts and
pictures) and the page itself, to a browser that says of the request that somebody goes there; the
token that is in that page alone opens the rest. ``gate.js`` adds it to what the page asks for, and
what the host's page in its frame asks for. A bearer is no browser's to send, so who has it needs none
of this.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import unquote

from . import headers as h
from .incoming import Request

HEADER = b"x-moonlight-page"
SCRIPT = "/gate.js"
PROTOCOL = "moonlight-page"  # offered beside the token, so that no answer repeats that
_HEAD = re.compile(rb"<head(?:\s[^>]*)?>", re.IGNORECASE)
MAX_PAGE_BYTES = 1 << 20


# As it is now: a session outlives an update of its program.
_SCRIPT = (Path(__file__).parent / "gate.js").read_bytes()


def script() -> bytes:
    return _SCRIPT


def token_of(request: Request) -> str:
    """The page's token as the request shows it, empty if it does not."""
    if h.is_websocket(request.headers):
        return ticket_of(request.headers)
    return h.get(request.headers, HEADER)


def ticket_of(headers: h.Headers) -> str:
    """What a WebSocket's handshake shows among its subprotocols, empty if it does not."""
    for protocol in _protocols(headers):
        name, _, token = protocol.partition(".")
        if name == PROTOCOL and token:
            return token
    return ""


def is_page(request: Request) -> bool:
    """Whether somebody goes there, by a link, an address or a form that was sent before.

    Scripts cannot say so of what they fetch (W3C, Fetch Metadata). Browsers tell nothing of all
    this where they have no https, nor did they before 2023 (Safari).
    """
    return request.method == "GET" and _fetch(request) == ("navigate", "document")


def _meant(path: str) -> str:
    """The path as a server may understand it, in whatever spelling."""
    return posixpath.normpath(unquote(path)).lstrip("/").lower()


def first_of(path: str) -> str:
    """The first part of a path, in whatever spelling."""
    return _meant(path).partition("/")[0]


def is_frame(request: Request) -> bool:
    """Whether it comes to stand in a frame of a page of this origin, whoever's that is: so it is sent
    no token, and asks the page around it for one."""
    site = h.get(request.headers, b"sec-fetch-site")
    return (
        request.method == "GET"
        and _fetch(request) == ("navigate", "iframe")
        and site == "same-origin"
    )


def refuses(request: Request, in_frames: bool = False) -> bool:
    """Whether the cookie alone does not open this. ``in_frames``: it is the host's client, whose page
    may stand in a frame."""
    mode, target = _fetch(request)
    first = first_of(request.path)
    if request.method not in ("GET", "HEAD") or h.is_websocket(request.headers):
        return True
    if first in ("api", "signaling"):
        return True
    if mode == "navigate" or "text/html" in h.get(request.headers, b"accept"):
        framed = in_frames and is_frame(request)
        return (mode, target) != ("navigate", "document") and not framed
    return False


def for_page(headers: h.Headers) -> h.Headers:
    """Request headers for a page that is to come whole, as it is, and now."""
    drop = {b"accept-encoding", b"if-none-match", b"if-modified-since", b"range", b"if-range"}
    return [(n, v) for n, v in headers if n not in drop]


def with_token(page: bytes, path: str, token: str) -> bytes:
    """The page with its token and the script that takes it, before any other script. A page in a frame
    has none (empty): the script has it from the page around it, if that is the session's own."""
    up = "../" * (path.count("/") - 1)
    meta = f'<meta name="{PROTOCOL}" content="{token}">' if token else ""
    ours = f'{meta}<script src="{up}{SCRIPT[1:]}"></script>'
    found = _HEAD.search(page)
    at = found.end() if found else 0
    return page[:at] + ours.encode() + page[at:]


def for_host(headers: h.Headers) -> h.Headers:
    """A handshake's headers without what is ours among the subprotocols."""
    own = [p for p in _protocols(headers) if p.partition(".")[0] != PROTOCOL]
    kept = [(n, v) for n, v in headers if n != b"sec-websocket-protocol"]
    if own:
        kept.append((b"sec-websocket-protocol", ", ".join(own).encode("latin-1")))
    return kept


def for_browser(asked: h.Headers, answer: h.Headers) -> h.Headers:
    """The host's agreement. A browser that offered subprotocols wants one, so where the host took
    none it is ours."""
    chosen = h.get(answer, b"sec-websocket-protocol")
    if chosen or PROTOCOL not in _protocols(asked):
        return answer
    return [*answer, (b"sec-websocket-protocol", PROTOCOL.encode())]


def _fetch(request: Request) -> tuple[str, str]:
    mode = h.get(request.headers, b"sec-fetch-mode")
    return mode, h.get(request.headers, b"sec-fetch-dest")


def _protocols(headers: h.Headers) -> list[str]:
    found = [v.decode("latin-1") for n, v in headers if n == b"sec-websocket-protocol"]
    return [part.strip() for part in ",".join(found).split(",") if part.strip()]
