"""The address that a request is said to come from: believed of the site's own proxies alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

from .underway import Underway

# What a proxy adds, and nobody else.
_FORWARDED = (
    *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"),
    *("X-Real-Ip", "X-Scheme"),
)


class ProxiedServer(HTTPServer):
    """tornado believes these headers of whoever sends them, and ``X-Real-Ip`` more than what a proxy
    has added to ``X-Forwarded-For``: a proxy that sets the one passes on the other as it came."""

    def initialize(
        self,
        *args: Any,
        proxies: Collection[str] = (),
        underway: Underway | None = None,
        **kwargs: Any,
    ) -> None:
        super().initialize(*args, **{**kwargs, "xheaders": True})
        self._proxies = frozenset(proxies)
        self._underway = underway or Underway()

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        context = getattr(request_conn, "context")  # noqa: B009  # not in its type
        comes_from = context.remote_ip
        delegate = super().start_request(server_conn, request_conn)

        def begun() -> Callable[[], None]:
            return self._underway.begun(request_conn)

        return _Without(delegate, comes_from in self._proxies, context, begun)


class _Without(HTTPMessageDelegate):
    """Hands a request on without what is said of its address by whoever is ``proxy`` or not. That
    something was said is kept (:func:`forwarded`)."""

    def __init__(
        self,
        delegate: HTTPMessageDelegate,
        proxy: bool,
        context: Any,
        begun: Callable[[], Callable[[], None]],
    ):
        self._delegate, self._proxy, self._context = delegate, proxy, context
        self._begun = begun
        self._over: Callable[[], None] = lambda: None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._over = self._begun()
        self._context.forwarded = any(name in headers for name in _FORWARDED)
        for name in ("X-Real-Ip",) if self._proxy else ("X-Real-Ip", "X-Forwarded-For"):
            if name in headers:
                del headers[name]
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        self._delegate.finish()

    def on_connection_close(self) -> None:
        self._over()
        self._delegate.on_connection_close()


def forwarded(request: Any) -> bool:
    """Whether a request says that it came through a proxy, whoever sent it; yes if nobody looked."""
    return bool(getattr(request.connection.context, "forwarded", True))


__all__ = ["ProxiedServer", "forwarded"]
