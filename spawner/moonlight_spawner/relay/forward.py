"""One admitted request, passed on to the streaming host: HTTP both ways, or a WebSocket's bytes."""

from __future__ import annotations

import asyncio

import h11

from . import gate
from . import headers as h
from .incoming import Incoming, Request
from .pipe import Heard, Through, join
from .upstream import Exchange, Target, UpstreamError

Response = h11.Response | h11.InformationalResponse


async def relay_exchange(incoming: Incoming, request: Request, target: Target) -> None:
    """Send the request on and its answer back, neither of them held in memory.

    Raises
    ------
    UpstreamError
        The host did not answer, or left in the middle.
    """
    headers = h.for_host(request.headers, target.headers)
    if h.get(request.headers, b"transfer-encoding"):
        headers.append((b"transfer-encoding", b"chunked"))
    exchange = await Exchange.begin(target, request.method.encode(), request.target, headers)
    upload = asyncio.ensure_future(_upload(incoming, exchange))
    try:
        response = await exchange.head()
        await _pass_on(incoming, exchange, response, h.for_browser(response.headers))
    finally:
        upload.cancel()
        await asyncio.gather(upload, return_exceptions=True)
        exchange.close()


async def relay_page(incoming: Incoming, request: Request, target: Target, token: str) -> None:
    """As :func:`relay_exchange`; a page gets its token on the way (:mod:`.gate`).

    Raises
    ------
    UpstreamError
    """
    headers = gate.for_page(h.for_host(request.headers, target.headers))
    exchange = await Exchange.begin(target, b"GET", request.target, headers)
    try:
        await exchange.finish()
        response = await exchange.head()
        headers = h.for_browser(response.headers)
        if not h.get(headers, b"content-type").startswith("text/html"):
            await _pass_on(incoming, exchange, response, headers)
            return
        page = b""
        async for part in exchange.body():
            page += part
            if len(page) > gate.MAX_PAGE_BYTES:
                raise UpstreamError("the page is too long")
        drop = {b"content-length", b"cache-control", b"etag", b"last-modified"}
        headers = [(n, v) for n, v in headers if n not in drop]
        headers.append((b"cache-control", b"no-store"))
        page = gate.with_token(page, request.path, token)
        await incoming.answer(response.status_code, headers, page)
    finally:
        exchange.close()


async def relay_stream(
    incoming: Incoming,
    request: Request,
    target: Target,
    heard: Heard | None = None,
    through: Through | None = None,
) -> bool:
    """Join browser and host until one of them ends; True: the connection is used up. ``heard`` gets what
    the host says, what the browser says goes by ``through`` (:class:`.pipe.Pipe`).

    Raises
    ------
    UpstreamError
        The host did not take it. The browser has been sent nothing.
    """
    headers = h.websocket_request(gate.for_host(request.headers), target.headers)
    exchange = await Exchange.begin(target, b"GET", request.target, headers)
    try:
        await exchange.finish()
        response = await exchange.head()
        if response.status_code != 101:
            raise UpstreamError(f"the host answered {response.status_code}")
        upstream, early = exchange.switched()
        browser, sent = await incoming.switch(
            gate.for_browser(request.headers, h.websocket_response(response.headers))
        )
        await join(browser, upstream, sent, early, heard, through)
        return True
    finally:
        exchange.close()


async def _pass_on(
    incoming: Incoming, exchange: Exchange, response: Response, headers: h.Headers
) -> None:
    if h.get(response.headers, b"transfer-encoding"):
        headers = [*headers, (b"transfer-encoding", b"chunked")]
    await incoming.begin(response.status_code, headers, response.reason)
    async for part in exchange.body():
        await incoming.send(part)
    await incoming.finish()


async def _upload(incoming: Incoming, exchange: Exchange) -> None:
    try:
        async for part in incoming.body():
            await exchange.send(part)
        await exchange.finish()
    except (ConnectionError, h11.ProtocolError):
        exchange.wire.abort()  # whoever waits for the answer to half a request learns it at once
