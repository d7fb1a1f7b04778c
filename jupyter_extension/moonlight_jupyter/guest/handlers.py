"""``/api/moonlight/guest``, where an invitation is brought; ``/moonlight/guest/…``: its stream."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import JupyterHandler
from moonlight_spawner.model.errors import InvalidRequest
from moonlight_spawner.relay import gate
from moonlight_spawner.relay import headers as h
from moonlight_spawner.relay.upstream import Target, UpstreamError
from moonlight_spawner.relay.websocket import CLOSE, TEXT, frame
from moonlight_spawner.sessions import invited
from moonlight_spawner.site.web_client import client_files
from tornado.iostream import IOStream
from tornado.web import HTTPError, authenticated
from tornado.websocket import WebSocketProtocol13

from ..base import RESOURCE, ManagerMixin, pairs_of
from ..node import NodeHandler
from ..traffic import Traffic
from ..websocket import Refused, relay_websocket
from . import files, ticket

_MAX_BODY_BYTES = 8192
NEWS = "news"
#: The paths of a gateway that a guest's server asks for, by those of this one: there are no others.
_PATHS = {NEWS: b"/news", "api/websockets": b"/desktop/api/websockets"}
_KEPT = (b"sec-websocket-key", b"sec-websocket-version")


class JoinHandler(NodeHandler):
    """``POST /api/moonlight/guest``"""

    @authenticated
    @authorized
    async def post(self) -> None:
        site = self.manager.site
        if site.sharing == "off":
            self.refuse(403, "sharing_off", "Desktops are not shared here.")
            return
        if not client_files():
            message = "This server has no selkies, whose client shows the picture. Ask your administrator."
            self.refuse(409, "no_client", message)
            return
        body = self.json_body(_MAX_BODY_BYTES)
        nodes = nodes_of(site)
        way, token = invited.read(body.get("invitation") if isinstance(body, dict) else None, nodes)
        try:
            joined = await invited.join(way, token, nodes)
        except UpstreamError as e:
            self.log.warning("guest: %s cannot be joined by %s: %s", _where(way), self.user, e)
            message = "The desktop's node cannot be reached from here, or is not the one that invited you."
            self.refuse(502, "node_away", message)
            return
        self.log.info(
            "guest: %s has joined a desktop at %s (%s)", self.user, _where(way), joined.role
        )
        self.set_header("Cache-Control", "no-store")
        sealed = ticket.seal(self.settings["cookie_secret"], self.user, joined)
        self.finish({"ticket": sealed, "role": joined.role, "until": joined.until.isoformat()})


class GuestSocket(ManagerMixin, JupyterHandler):
    """``/moonlight/guest/news`` and ``…/api/websockets``, for who has a ticket."""

    SUPPORTED_METHODS = ("GET",)
    auth_resource = RESOURCE

    def check_xsrf_cookie(self) -> None:
        """No cookie counts here."""

    @allow_unauthenticated
    async def get(self, path: str) -> None:
        headers = pairs_of(self.request.headers)
        if not h.is_websocket(headers):
            raise HTTPError(426)
        site = self.manager.site
        found = ticket.unseal(self.settings["cookie_secret"], gate.ticket_of(headers))
        if site.sharing == "off" or (found and found[0] != self.owner):
            found = None
        if found is None:
            if path == NEWS:
                await self.say_over(headers)
                return
            raise HTTPError(403)
        nodes = nodes_of(site)
        try:
            way = invited.checked(found[1].way, nodes)
            target = invited.target_of(way, nodes, found[1].bearer)
            await self.pass_on(target, path, headers, Traffic())
        except Refused as e:
            if path == NEWS and e.status == 401:
                await self.say_over(headers)
            else:
                self.away(e)
        except (UpstreamError, InvalidRequest) as e:
            self.away(e)

    @property
    def owner(self) -> str:
        return str(self.settings["moonlight_user"])

    async def pass_on(
        self,
        target: Target,
        path: str,
        headers: h.Headers,
        traffic: Traffic,
        detach: Callable[[], IOStream] | None = None,
    ) -> None:
        """
        Raises
        ------
        UpstreamError
            The gateway did not take it.
        """
        asked = [(n, v) for n, v in headers if n in _KEPT]
        asked.append((b"sec-websocket-protocol", gate.PROTOCOL.encode()))
        asked = h.websocket_request(asked, target.headers)
        await relay_websocket(target, _PATHS[path], asked, detach or self.detach, traffic)

    async def say_over(self, headers: h.Headers, why: str = "no_invitation") -> None:
        """A page cannot read why a WebSocket was refused: it is opened, and says so."""
        accept = WebSocketProtocol13.compute_accept_value(h.get(headers, b"sec-websocket-key"))
        agreed = h.websocket_response(
            [
                (b"sec-websocket-accept", accept.encode()),
                (b"sec-websocket-protocol", gate.PROTOCOL.encode()),
            ]
        )
        head = b"".join(name + b": " + value + b"\r\n" for name, value in agreed)
        stream = self.detach()
        said = frame(TEXT, json.dumps({"over": why}).encode()) + frame(CLOSE)
        await stream.write(b"HTTP/1.1 101 Switching Protocols\r\n" + head + b"\r\n" + said)
        stream.close()

    def away(self, error: Exception) -> None:
        self.log.info("guest: %s", error)
        if not self._finished and not self._headers_written:
            self.set_status(502)
            self.finish()


def nodes_of(site: Any) -> invited.Nodes:
    return invited.Nodes(tuple(site.sharing_nodes), site.batch_system == "local")


def _where(way: invited.Way) -> str:
    return f"{'/'.join(way.hosts)}:{way.port}"


HANDLERS: list[tuple[str, Any]] = [
    (r"/api/moonlight/guest", JoinHandler),
    (r"/moonlight/guest/(news|api/websockets)", GuestSocket),
    (r"/moonlight/guest/(.+)", files.GuestFiles),
]
