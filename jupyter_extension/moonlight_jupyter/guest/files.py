"""The host's client as a guest has it: this server's own copy, in a page that is of no origin.

Nothing in it is secret or anybody's, so it is served without a login, which a page of no origin could not
show: what it opens wants a ticket, which the page around it hands in.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from moonlight_spawner.relay import framing, gate
from moonlight_spawner.site.web_client import client_files
from tornado.web import HTTPError

from ..base import ManagerMixin

_HERE = Path(__file__).parent
_SCRIPT = "text/javascript; charset=utf-8"
_OURS = {"client.html": "text/html; charset=utf-8", "client.js": _SCRIPT, "arrive.js": _SCRIPT}
_GATE = "gate.js"
_CLIENTS = re.compile(r"(src|codecs)/[A-Za-z0-9_-][A-Za-z0-9._/-]*\.(js|json|wasm)", re.ASCII)
_KINDS = {".js": _SCRIPT, ".json": "application/json"}
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?")


class GuestFiles(ManagerMixin, JupyterHandler):
    """``/moonlight/guest/client.html`` and what it loads"""

    SUPPORTED_METHODS = ("GET",)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.clear_header(framing.OLDER)

    @property
    def content_security_policy(self) -> str:
        """It may open WebSockets of this server, and load its client; no more, and as nobody."""
        host = self.request.host
        own, sockets = "'self'", ""
        if _HOST.fullmatch(host):
            own, sockets = f"'self' {host}", f"ws://{host} wss://{host}"
        return (
            "sandbox allow-scripts allow-pointer-lock; default-src 'none'; "
            f"script-src {own} blob: 'wasm-unsafe-eval'; worker-src blob:; "
            f"connect-src {own} {sockets}; style-src 'unsafe-inline'; img-src data: blob:; "
            f"media-src blob:; base-uri 'none'; form-action 'none'; {framing.POLICY}"
        )

    def check_xsrf_cookie(self) -> None:
        """Nothing is done."""

    @allow_unauthenticated
    async def get(self, path: str) -> None:
        place, clients = None, client_files()
        if path == _GATE:
            kind, data = _SCRIPT, gate.script()
        else:
            if path in _OURS:
                place, kind = _HERE / path, _OURS[path]
            elif clients and _CLIENTS.fullmatch(path) and ".." not in path:
                place = clients / path
                kind = _KINDS.get(place.suffix, "application/wasm")
            if place is None or not place.is_file():
                raise HTTPError(404)
            data = await asyncio.to_thread(place.read_bytes)
        self.set_header("Content-Type", kind)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")
        # Of no origin itself, it loads its scripts as another origin's.
        self.set_header("Access-Control-Allow-Origin", "*")
        self.finish(data)
