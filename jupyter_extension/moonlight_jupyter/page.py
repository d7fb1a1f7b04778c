"""The session page: one built page for the list and for each session."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import AuthenticatedFileHandler, JupyterHandler
from moonlight_spawner import __version__
from moonlight_spawner.model.session import job_named
from moonlight_spawner.relay import framing, viewer
from moonlight_spawner.sessions.page_address import everybodys, hub_start
from moonlight_spawner.site.web_client import client_files
from tornado.web import HTTPError, StaticFileHandler, authenticated

from .api import LAST_HANDLERS
from .base import RESOURCE, ManagerMixin, at_a_hub, by_https

STATIC = Path(__file__).parent / "static"
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?")  # an IPv6 address is no host in a policy


class PageHandler(ManagerMixin, JupyterHandler):
    """``/moonlight/``, ``/moonlight/sessions/<id>/`` and ``/moonlight/join/``"""

    auth_resource = RESOURCE

    async def prepare(self) -> None:
        await super().prepare()
        if self.current_user is None and not self._finished:
            self.send_to_login()

    def send_to_login(self) -> None:
        """The portal has a login page of its own; a Jupyter server's is tornado's to find."""
        if send := self.settings.get("moonlight_send_to_login"):
            send(self)

    @authenticated
    @authorized
    async def get(self, *_: str) -> None:
        if not self.request.path.endswith("/"):
            query = f"?{self.request.query}" if self.request.query else ""
            self.redirect(f"{self.request.path}/{query}")
            return
        await self._remember()
        index = STATIC / "index.html"
        if not index.is_file():
            raise HTTPError(500, "The page is not built. Run `make install` in the checkout.")
        config = {
            "baseUrl": self.base_url,
            "user": self.user,
            "version": __version__,
            # For when this server no longer answers: what the page can say and offer then.
            "hubStart": hub_start(self.base_url, os.environ),
            "job": job_named(os.environ) or None,
            **self._sharing(),
        }
        files = f"{self.base_url}moonlight/static/"
        html = viewer.filled(index.read_text("utf-8"), files, config)
        self.xsrf_token  # noqa: B018  # sets the cookie that the page sends back
        self.set_header("Cache-Control", "no-store")
        self.finish(html)

    def _sharing(self) -> dict[str, Any]:
        """What may be shared here, and by which address every user comes to the page for guests."""
        site, join = self.manager.site, "moonlight/join/"
        if site.sharing == "off":
            return {}
        if self.settings.get("moonlight_door") != "portal":
            return {"sharing": site.sharing, "joinUrl": everybodys(self.base_url, join, os.environ)}
        if not client_files():  # nothing could be shown to a guest
            return {}
        address = f"{site.portal_url}{self.base_url}{join}"
        return {"sharing": site.sharing, "joinUrl": address, "members": True}

    async def _remember(self) -> None:
        """Keep by which address browsers come, for the user's terminals. The portal's is a setting."""
        remember = self.settings.get("moonlight_remember_page")
        host = self.request.host
        if (
            remember
            and _ADDRESS.fullmatch(host)
            and "text/html" in self.request.headers.get("Accept", "")
        ):
            scheme = "https" if by_https(self.request) else "http"
            url = f"{scheme}://{host}{self.base_url}moonlight/"
            lasts = at_a_hub(self.base_url)
            await asyncio.to_thread(remember, url, lasts)

    @property
    def content_security_policy(self) -> str:
        # Older browsers do not take a WebSocket of the page's own host for 'self'.
        host = self.request.host
        sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
        return viewer.policy(sockets, framing.NOBODY if at_a_hub(self.base_url) else framing.POLICY)


class StaticHandler(AuthenticatedFileHandler):
    """The built files; their names hold a hash of their content."""

    auth_resource = RESOURCE

    def check_xsrf_cookie(self) -> None:
        """Nothing in them is secret. Jupyter's check needs a Referer, which many portals suppress."""

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Jupyter asks its contents whether hidden files may be served; here none are."""
        if Path(absolute_path).name.startswith("."):
            raise HTTPError(404)
        return StaticFileHandler.validate_absolute_path(self, root, absolute_path)

    def set_headers(self) -> None:
        super().set_headers()
        # In place of Jupyter's no-cache, which would be added to ours.
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")


HANDLERS = [
    (r"/moonlight/?", PageHandler),
    (r"/moonlight/sessions/([^/]+)/?", PageHandler),
    (r"/moonlight/join/?", PageHandler),
    (r"/moonlight/static/(.*)", StaticHandler, {"path": str(STATIC)}),
    *LAST_HANDLERS,
]
