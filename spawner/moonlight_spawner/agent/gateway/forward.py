"""One admitted request, passed on to the streaming host: HTTP both ways, or a WebSocket's bytes."""

from __future__ import annotations

import asyncio

import h11

from ...relay import headers as h
from ...relay.incoming import Incoming, Request
from ...relay.pipe import join
from ...relay.upstream import Exchange, Target, UpstreamError


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
        headers = h.for_browser(response.headers)
        if h.get(response.headers, b"transfer-encoding"):
            headers.append((b"transfer-encoding", b"chunked"))
        await incoming.begin(response.status_code, headers, response.reason)
        async for part in exchange.body():
            await incoming.send(part)
        await incoming.finish()
    finally:
        upload.cancel()
        await asyncio.gather(upload, return_exceptions=True)
        exchange.close()


async def relay_stream(incoming: Incoming, request: Request, target: Target) -> bool:
    """Join browser and host until one of them ends; True: the connection is used up.

    Raises
    ------
    UpstreamError
        The host did not take it. The browser has been sent nothing.
    """
    headers = h.websocket_request(request.headers, target.headers)
    exchange = await Exchange.begin(target, b"GET", request.target, headers)
    try:
        await exchange.finish()
        response = await exchange.head()
        if response.status_code != 101:
            raise UpstreamError(f"the host answered {response.status_code}")
        upstream, early = exchange.switched()
        browser, sent = await incoming.switch(h.websocket_response(response.headers))
        await join(browser, upstream, to_second=sent, to_first=early)
        return True
    finally:
        exchange.close()


async def _upload(incoming: Incoming, exchange: Exchange) -> None:
    try:
        async for part in incoming.body():
            await exchange.send(part)
        await exchange.finish()
    except (ConnectionError, h11.ProtocolError):
        exchange.wire.abort()  # whoever waits for the answer to half a request learns it at once
