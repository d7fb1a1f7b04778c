"""Behind jupyter-server-proxy: a small HTTP server on a Unix socket, for one user and one desktop.

It asks nobody who he is: Jupyter's login stands before it, and the socket lies in a directory that
is its user's alone. The desktop is a session like any other and outlives this server.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import os
import re
import secrets
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import h11

from .. import __version__
from ..model.errors import MoonlightError, UnsafeDirectory
from ..model.limits import MAX_BODY_BYTES
from ..model.session import Session, StaleCode, Way, job_named
from ..relay import headers as h
from ..relay.forward import relay_exchange, relay_stream
from ..relay.framing import own_origin_only
from ..relay.incoming import Incoming, Request
from ..relay.one_session import API, OneSession
from ..relay.origin import comes_by_https, is_own
from ..relay.replies import NO_STORE, reply_page
from ..relay.upstream import UpstreamError
from ..relay.viewer import Viewer
from ..relay.websocket import CHECK, check
from ..relay.wire import Wire, WireClosed
from ..sessions.control import reaches_control
from ..sessions.manager import SessionManager
from ..sessions.page_address import hub_start
from ..site.request import validate_where
from .page import POLICY, render
from .sessions import ProxiedSessions

log = logging.getLogger(__name__)

DOOR = "proxy"
_MAX_FORM_BYTES = 4096
# jupyter-server-proxy holds an answer whole, and its client (Tornado's, max_buffer_size) takes no larger one.
_LARGEST_ANSWER_BYTES = 100 * 1024 * 1024
_DESKTOP = re.compile(r"/desktop(?=/)")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


async def serve(manager: SessionManager, user: str, path: Path) -> int:
    """Answer on the socket ``path`` until TERM; gives the exit status.

    Raises
    ------
    UnsafeDirectory
        Others could reach the socket, which opens the user's desktop to whoever does.
    """
    info = path.parent.stat()
    if info.st_uid != os.geteuid() or info.st_mode & 0o077:
        raise UnsafeDirectory(f"{path.parent} must be yours alone (mode 0700): nothing is served.")
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(signum, told.set)
    door = ProxiedDoor(manager, user)
    server = await loop.create_unix_server(lambda: _Visitor(door), str(path))
    await told.wait()
    server.close()
    await door.close()
    # Not 0: jupyter-server-proxy starts only that again, at the next request, which has failed.
    return 128 + signal.SIGTERM


class ProxiedDoor:
    """Starts or finds the one desktop of this server, shows its page, relays to it."""

    def __init__(self, manager: SessionManager, user: str):
        self._manager = manager
        self._user = user
        self._session_id = ""
        self._trouble = ""
        self._one_at_a_time = asyncio.Lock()
        asked = ProxiedSessions(manager, user, self._current, self._launch)
        self._viewer = OneSession(Viewer(), asked.ask, MAX_BODY_BYTES)
        # A page of another site can send a form here, but cannot know this.
        self._form_token = secrets.token_urlsafe(16)
        self._visits: set[asyncio.Task[None]] = set()

    def let_in(self, wire: Wire) -> None:
        """Serve a new connection."""
        task: asyncio.Task[None] = asyncio.ensure_future(self._serve(wire))
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    async def close(self) -> None:
        """End every connection. The desktop goes on."""
        for task in self._visits:
            task.cancel()
        await asyncio.gather(*self._visits, return_exceptions=True)

    async def _serve(self, wire: Wire) -> None:
        # jupyter-server-proxy takes the server's own policy away.
        incoming = Incoming(wire, own_origin_only)
        try:
            while request := await incoming.request():
                if await self._answer(incoming, request):
                    return
        except (OSError, WireClosed, UpstreamError, asyncio.TimeoutError, h11.ProtocolError) as e:
            log.debug("a connection ended: %s", e)
        except Exception:
            log.exception("a connection failed")
        finally:
            wire.close()

    async def _answer(self, incoming: Incoming, request: Request) -> bool:
        """Answer one request; True if the connection is used up."""
        if _DESKTOP.match(request.path):
            return await self._desktop(incoming, request)
        if request.path == "/" and request.method in ("GET", "HEAD"):
            await self._page(incoming, request)
        elif request.path == "/start" and request.method == "POST":
            await self._start_again(incoming)
        elif request.path == "/desktop":
            await incoming.answer(303, [(b"location", b"desktop/"), *NO_STORE])
        elif request.path.startswith(API) and _foreign(request):
            await reply_page(incoming, request, 403, "other_origin")
        elif not await self._viewer.answer(incoming, request):
            await reply_page(incoming, request, 404, "unknown")
        return incoming.unread()

    async def _page(self, incoming: Incoming, request: Request) -> None:
        # jupyter-server-proxy itself asks first whether somebody answers: that is no visit.
        visited = "text/html" in h.get(request.headers, b"accept")
        if visited and not self._session_id and not self._trouble:
            await self._start(new=_meant(request))
        if await self._current():
            if not self._viewer.built:  # installed from sources without its pages
                await incoming.answer(303, [(b"location", b"desktop/"), *NO_STORE])
                return
            await self._viewer.page(incoming, request, self._settings())
            return
        trouble = self._trouble
        if visited:
            self._trouble = ""  # said once; who comes again may try again
        page = render(trouble, h.get(request.headers, b"accept-language"), self._form_token)
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-security-policy", POLICY.encode()),
            *NO_STORE,
        ]
        await incoming.answer(200, headers, page if request.method == "GET" else b"")

    async def _start_again(self, incoming: Incoming) -> None:
        data = await incoming.short_body(_MAX_FORM_BYTES) or b""
        given = parse_qs(data.decode("ascii", "replace")).get("token", [""])[0]
        if not hmac.compare_digest(given.encode(), self._form_token.encode()):
            await incoming.answer(403, [*NO_STORE])
            return
        await self._start()
        await incoming.answer(303, [(b"location", b"./"), *NO_STORE])

    def _settings(self) -> dict[str, Any]:
        """What the viewer is told."""
        return {
            "user": self._user,
            "version": __version__,
            # The Jupyter server before this one knows its place, and has handed on what it is of.
            "hubStart": hub_start(os.environ.get("JUPYTERHUB_SERVICE_PREFIX", ""), os.environ),
            "job": job_named(os.environ) or None,
            "only": self._session_id,
            "can": ["launch", "logs"],
            "largestDownload": _LARGEST_ANSWER_BYTES,
        }

    async def _start(self, new: bool = True) -> None:
        """Find this server's desktop, or start one if ``new``."""
        try:
            self._trouble = ""
            await self._find_or_create({}, new)
        except MoonlightError as e:
            self._session_id, self._trouble = "", e.message

    async def _launch(self, body: Any) -> Session:
        """The desktop that is there, or a new one: what the viewer asks for when its own has ended.

        Raises
        ------
        MoonlightError
        """
        _, request = validate_where(body)
        await self._find_or_create(request, True)
        return await self._manager.get(self._user, self._session_id)

    async def _find_or_create(self, request: Any, new: bool) -> None:
        """
        Raises
        ------
        MoonlightError
        """
        async with self._one_at_a_time:
            job = await self._manager.job_here()
            found = await self._find(job.job_id if job else "")
            if found or not new:
                self._session_id = found
            elif job:
                session, _ = await self._manager.create_beside(self._user, request, job, DOOR)
                self._session_id = session.session_id
            else:
                session, _ = await self._manager.create(self._user, request, door=DOOR)
                self._session_id = session.session_id

    async def _find(self, job_id: str) -> str:
        """The newest live desktop of this job, or one of this door on this machine or in the queue."""
        for session in await self._manager.sessions(self._user):
            if not session.live or session.stale_code is StaleCode.STARTED_ELSEWHERE:
                continue
            guest = session.way is Way.GUEST
            if (guest and session.slurm_job_id == job_id) if job_id else session.door == DOOR:
                return session.session_id
        return ""

    async def _current(self) -> Session | None:
        """This server's desktop, also one that has ended; None if it has none."""
        if not self._session_id:
            return None
        try:
            return await self._manager.get(self._user, self._session_id)
        except MoonlightError as e:  # it was removed
            self._session_id, self._trouble = "", e.message
            return None

    async def _desktop(self, incoming: Incoming, request: Request) -> bool:
        request = replace(request, path=_DESKTOP.sub("", request.path, count=1))
        if reaches_control(request.path):
            await reply_page(incoming, request, 404, "unknown")
            return incoming.unread()
        if _foreign(request):
            await reply_page(incoming, request, 403, "other_origin")
            return True
        if request.path == CHECK and h.is_websocket(request.headers):
            await check(incoming, request)
            return True
        reach = self._manager.reach(self._user, self._session_id) if self._session_id else None
        if reach is None or reach.target is None:
            ended = reach is not None and reach.end is not None
            await reply_page(
                incoming, request, 410 if ended else 503, "ended" if ended else "not_running"
            )
            return incoming.unread()
        try:
            if h.is_websocket(request.headers):
                return await relay_stream(incoming, request, reach.target)
            await relay_exchange(incoming, request, reach.target)
        except UpstreamError as e:
            log.warning("%s %s: %s", request.method, request.path, e)
            if incoming.wire.transport.is_closing():
                return True
            with contextlib.suppress(h11.LocalProtocolError):  # the answer had begun already
                await reply_page(incoming, request, 502, "node_away")
                return incoming.unread()
            return True
        return incoming.unread()


class _Visitor(Wire):
    """One connection of jupyter-server-proxy."""

    def __init__(self, door: ProxiedDoor):
        super().__init__()
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._door.let_in(self)


def _meant(request: Request) -> bool:
    """Whether the browser says that its user came by JupyterLab's launcher or typed the address.

    A link, form or script of another site brings anybody here, with his login (W3C, Fetch
    Metadata): that finds a desktop and starts none, which then needs the page's button. So does it
    where browsers tell nothing: without https, and before 2023 (Safari).
    """
    return h.get(request.headers, b"sec-fetch-site") in ("same-origin", "none")


def _foreign(request: Request) -> bool:
    """Whether it changes something, or is a stream, and no page of this host has sent it."""
    does = request.method not in _SAFE_METHODS or h.is_websocket(request.headers)
    return does and not _same_origin(request)


def _same_origin(request: Request) -> bool:
    """Whether a page of this host sent it. jupyter-server-proxy passes Host and Origin on, and
    asks for no XSRF token."""
    hosts = [h.get(request.headers, name) for name in (b"host", b"x-forwarded-host")]
    origin = h.get(request.headers, b"origin")
    return is_own(origin, filter(None, hosts), comes_by_https(request.headers, tls=False))
