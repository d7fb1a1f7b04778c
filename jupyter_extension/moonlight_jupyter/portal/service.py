"""``moonlight-hpc serve``: our handlers on jupyter-server's base, and nothing else.

jupyter-server's own application always has kernels, contents and its login page; what is served here
is listed here.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import signal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from jupyter_server.auth import AllowAllAuthorizer
from jupyter_server.log import log_request
from moonlight_spawner import __version__
from moonlight_spawner.portal.callback import Callbacks
from moonlight_spawner.portal.manager import PortalManager, portal_manager
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.service_files import service_keys
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from .. import api, choices, events, node, page, picture, stream, websocket, websocket_check
from ..base import MOST_BODY_BYTES
from . import callback, guests, login, sharing
from .audit import Audit
from .identity import PortalIdentity
from .limits import Limits
from .lines import begin_log
from .metrics import CONTENT_TYPE, Guard, Metrics
from .papers import Papers
from .proxied import ProxiedServer
from .underway import Underway

log = logging.getLogger(__name__)

_BUSY_SECONDS, _CALM_SECONDS = 2.0, 5.0  # each look is a process of the user's
_MOST_HEADER_BYTES = 32 * 1024
_HEADER_SECONDS = 600.0
# Objects before the young are looked at; how often those, before the older ones; and those, before all.
_COLLECT = (10_000, 20, 100)


class NoSuchPath(RequestHandler):
    """Any other path."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

    def prepare(self) -> None:
        self.set_status(404)
        self.set_header("Content-Type", "text/plain")
        self.finish("There is nothing at this address.\n")

    def check_xsrf_cookie(self) -> None:
        """Nothing is done."""


class MetricsHandler(NoSuchPath):
    """``/metrics``, to whom the site names; for all others it is not there."""

    def prepare(self) -> None:
        guard: Guard = self.settings["moonlight_metrics_guard"]
        if not guard.may(self.request):
            super().prepare()

    async def get(self) -> None:
        metrics: Metrics = self.settings["moonlight_metrics"]
        told = await metrics.text()
        self.set_header("Content-Type", CONTENT_TYPE)
        self.set_header("Cache-Control", "no-store")
        self.finish(told)


class Portal:
    """The applications of one service over a manager of many users' sessions.

    ``manager`` has the methods of :class:`moonlight_spawner.sessions.manager.SessionManager`, each
    with the user first; ``reach`` may be a coroutine.
    """

    def __init__(self, site: MoonlightSite, manager: Any, callbacks: Callbacks):
        self.manager = manager
        shared = isinstance(manager, PortalManager)
        pauses = () if shared else (_BUSY_SECONDS, _CALM_SECONDS)
        self.watchers = events.Watchers(manager, *pauses)
        self._rounds: asyncio.Task[None] | None = None
        if shared:
            manager.changed = self.watchers.look
        self.audit = Audit(site.portal_audit_file)
        self.metrics = Metrics(manager, self.watchers.known, _ROUTES.values())
        identity = PortalIdentity(site)
        base = site.portal_base_url
        templates = FileSystemLoader(Path(__file__).parent)
        settings = {
            "base_url": base,
            # The page sends on from there. A query keeps tornado from adding one.
            "login_url": f"{base}moonlight/?",
            "identity_provider": identity,
            "authorizer": AllowAllAuthorizer(identity_provider=identity),
            "jinja2_env": Environment(loader=templates, autoescape=True),
            "log_function": self._finished,
            "xsrf_cookies": True,
            "xsrf_cookie_kwargs": {"path": base, "samesite": "Lax"},
            # Behind the site's proxy every name is right; who asks is known by other means.
            "allow_remote_access": True,
            # Each handler says itself who may, as in JupyterLab.
            "allow_unauthenticated_access": True,
            "cookie_secret": hashlib.sha256(Path(site.portal_key_file).read_bytes()).digest(),
            "headers": {"Referrer-Policy": "same-origin"},
            "moonlight_manager": manager,
            "moonlight_watchers": self.watchers,
            "moonlight_limits": Limits(site),
            "moonlight_papers": Papers(Path(site.portal_key_file)),
            "moonlight_audit": self.audit,
            "moonlight_hearing": callback.Hearing(manager, self.watchers, callbacks),
            "moonlight_door": "portal",
            "moonlight_metrics": self.metrics,
            "moonlight_metrics_guard": Guard(site),
            "moonlight_tell_stream": self.audit.stream,
            "moonlight_send_to_login": login.send_to_login,
        }
        self.application = Application([*METRICS, *_below(base, HANDLERS)], **settings)
        self.signaling = Application(_below(base, SIGNALING), **settings)

    def begin_rounds(self) -> None:
        """Take part in what is done by one of all services."""
        if isinstance(self.manager, PortalManager):
            self._rounds = asyncio.ensure_future(self.manager.keep_rounds())

    async def close(self) -> None:
        if self._rounds:
            self._rounds.cancel()
            await asyncio.gather(self._rounds, return_exceptions=True)
        await self.watchers.close()
        await self.manager.close()
        self.metrics.close()
        self.audit.close()

    def _finished(self, handler: Any) -> None:
        log_request(handler, record_prometheus_metrics=False)  # Jupyter's own are not asked for
        route = _ROUTES.get(type(handler), "")
        self.metrics.finished(handler, route)
        self.audit.finished(handler, route)


HANDLERS: list[tuple[Any, ...]] = [
    *login.HANDLERS,
    *callback.HANDLERS,
    *api.HANDLERS,
    *choices.HANDLERS,
    *node.HANDLERS,
    *sharing.HANDLERS,
    *guests.HANDLERS,  # before the page's, of which one is where a link leads
    *picture.HANDLERS,
    *events.HANDLERS,
    *websocket_check.HANDLERS,  # before what passes all other paths below a desktop's
    *stream.HANDLERS,
    *page.HANDLERS,
]
SIGNALING: list[tuple[Any, ...]] = [("/moonlight/signaling", stream.SignalingHandler)]
METRICS: list[tuple[Any, ...]] = [("/metrics", MetricsHandler)]  # never below what nginx leads to
_ROUTES = {handler: pattern for pattern, handler, *_ in [*HANDLERS, *SIGNALING, *METRICS]}


async def serve(site: MoonlightSite) -> int:
    """Serve until told to end; gives the exit status.

    Raises
    ------
    ValueError
        The settings do not do.
    """
    begin_log()
    _collect_rarely()
    callbacks = Callbacks(site, service_keys(Path(site.portal_key_file)))
    portal = Portal(site, portal_manager(site, callbacks), callbacks)
    servers, underway = [], Underway()
    try:
        for application, port in (
            (portal.application, site.portal_port),
            (portal.signaling, site.portal_signaling_port),
        ):
            if port:
                servers.append(listen(application, site, port, underway))
        portal.begin_rounds()
        ended = asyncio.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signum, ended.set)
        log.info(
            "Moonlight HPC %s: http://%s:%d%smoonlight/",
            __version__,
            site.portal_address,
            site.portal_port,
            site.portal_base_url,
        )
        await ended.wait()
        log.info(
            "ending: no new requests, and %d streams go on for %g s at most",
            websocket.count(),
            site.portal_stream_seconds,
        )
    finally:
        for server in servers:
            server.stop()
        await portal.watchers.close()  # pages find the next service at once
        await asyncio.gather(
            websocket.all_ended(site.portal_stream_seconds),
            underway.all_over(site.portal_stream_seconds),
        )
        for server in servers:
            await server.close_all_connections()
        await portal.close()
    return 0


def _collect_rarely() -> None:
    """Python looks for garbage in cycles by going through all that it has: with records of 10,000
    sessions all streams stood still for half a second, every few lists. What began with the service is
    never looked at again, and what lives on seldom; records are let go without it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


def listen(
    application: Application, site: MoonlightSite, port: int, underway: Underway
) -> ProxiedServer:
    """
    Raises
    ------
    ValueError
        The port cannot be had.
    """
    server = ProxiedServer(
        application,
        proxies=site.portal_proxies,
        underway=underway,
        max_header_size=_MOST_HEADER_BYTES,
        max_body_size=MOST_BODY_BYTES,  # what streams are sent has a limit of its own
        idle_connection_timeout=_HEADER_SECONDS,
    )
    try:
        server.add_sockets(bind_sockets(port, site.portal_address))
    except OSError as e:
        raise ValueError(
            f"{site.portal_address}:{port} cannot be listened on: {e.strerror}."
        ) from e
    return server


def _below(base: str, handlers: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    below = [(base.rstrip("/") + pattern, *rest) for pattern, *rest in handlers]
    return [*below, (r".*", NoSuchPath)]
