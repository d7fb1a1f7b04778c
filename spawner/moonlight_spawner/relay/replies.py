"""What the gateway says itself, and where under a portal's address it is asked."""

from __future__ import annotations

import re
from dataclasses import replace

from . import headers as h
from . import pages
from .incoming import Incoming, Request

NO_STORE: h.Headers = [(b"cache-control", b"no-store")]
#: Who had this node's port before may have had the browser keep scripts of his for our addresses, behind
#: Open OnDemand's shared origin; they would run beside the page's token (W3C, Clear Site Data).
FORGET = (b"clear-site-data", b'"cache"')
_NODE_PREFIX = re.compile(r"/(?:secure_)?r?node/[A-Za-z0-9._-]+/[0-9]{1,5}(?=/|$)")


async def reply_page(incoming: Incoming, request: Request, status: int, name: str) -> None:
    """One of :mod:`moonlight_spawner.relay.pages`, as who asks wants it: to read, or JSON."""
    language = h.get(request.headers, b"accept-language")
    if "text/html" in h.get(request.headers, b"accept"):
        kind, body = b"text/html; charset=utf-8", pages.html(name, language)
    else:
        kind, body = b"application/json", pages.json_error(name, language)
    headers = [(b"content-type", kind), *NO_STORE]
    if request.method == "HEAD":
        body = b""
    await incoming.answer(status, headers, body)


def without_prefix(request: Request) -> Request:
    """Open OnDemand sends ``/node/HOST/PORT/x`` as it is (``/rnode`` sends ``/x``)."""
    match = _NODE_PREFIX.match(request.path)
    if not match:
        return request
    return replace(request, path=request.path[match.end() :] or "/")
