"""HTTP and WebSocket under ``<prefix>/api``, and the static files beside it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from ..client import Client, GameStreamError, Identity, PairingFailed
from .data import Data
from .sockets import stream_v2, stream_v3
from .stream import client_of

log = logging.getLogger(__name__)

User = dict[str, Any]
_UNCACHED = {
    "Cache-Control": "no-store, no-cache, must-revalidate, private",
    "Pragma": "no-cache",
    "Expires": "0",
}
Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer:
    """One server process."""

    def __init__(self, config: dict[str, Any], data: Data, major: int):
        self.config, self.data, self.major = config, data, major

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._uncached])
        prefix = self.config["web_server"]["url_path_prefix"]
        routes = {
            ("GET", "/api/authenticate"): self._authenticate,
            ("GET", "/api/hosts"): self._hosts,
            ("GET", "/api/host"): self._host,
            ("GET", "/api/apps"): self._apps,
            ("GET", "/api/role"): self._role,
            ("GET", "/api/user"): self._user,
            ("PATCH", "/api/user"): self._changed,
            ("PATCH", "/api/role"): self._changed,
            ("PATCH", "/api/host"): self._changed,
            ("DELETE", "/api/host"): self._delete,
            ("POST", "/api/pair"): self._pair,
            ("POST", "/api/host/cancel"): self._cancel,
            ("GET", "/config.js"): self._config_js,
        }
        stream = "/api/host/stream" if self.major == 2 else "/api/host/stream/web_socket"
        routes["GET", stream] = self._stream
        for (method, path), handler in routes.items():
            app.router.add_route(method, prefix + path, handler)
        app.router.add_get(prefix + "/{path:.*}", self._static)
        return app

    @web.middleware
    async def _uncached(self, request: web.Request, handler: Next) -> web.StreamResponse:
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_UNCACHED)
        return response

    def user(self, request: web.Request) -> User:
        """Forwarded header, bearer, cookie, default user, in this order."""
        forwarded = self.config["web_server"]["forwarded_header"]
        if forwarded and forwarded["username_header"] in request.headers:
            name = request.headers[forwarded["username_header"]]
            return self._forwarded(name, forwarded)
        bearer = request.headers.get("Authorization")
        if bearer is not None:
            token = bearer.removeprefix("Bearer").strip()
            if not bearer.startswith("Bearer") or len(token) != 64:
                raise web.HTTPBadRequest(text="bearer malformed")
            raise web.HTTPUnauthorized(text="the session token was not found")
        if "mlSession" in request.cookies:
            if not re.fullmatch("[0-9a-f]{64}", request.cookies["mlSession"]):
                raise web.HTTPBadRequest(text="session token malformed")
            raise web.HTTPUnauthorized(text="the session token was not found")
        source = self.config["web_server"] if self.major == 2 else self.data.tree
        default = source.get("default_user_id")
        if default is None:
            raise web.HTTPUnauthorized(text="unauthorized")
        if default not in self.data.users:
            raise web.HTTPNotFound(text="user not found")
        return self.data.users[default]

    def _forwarded(self, name: str, forwarded: dict[str, Any]) -> User:
        lowered = forwarded.get("ignore_case", False)
        for user in self.data.users.values():
            if user["name"] == name or (lowered and user["name"].lower() == name.lower()):
                return user
        if not forwarded["auto_create_missing_user"]:
            raise web.HTTPUnauthorized(text="unauthorized")
        user = {
            "role_id": min(self.data.tree["roles"], default=0),
            "name": name,
            "password": None,
            "client_unique_id": name,
        }
        self.data.users[max(self.data.users, default=-1) + 1] = user
        self.data.store()
        return user

    def host(self, user: User, number: int) -> dict[str, Any]:
        host = self.data.hosts.get(number)
        if host is None:
            raise web.HTTPNotFound(text="host not found")
        if host["owner"] is not None and self.data.users.get(host["owner"]) is not user:
            raise web.HTTPForbidden(text="forbidden")
        return host

    def client(self, user: User, host: dict[str, Any]) -> Client:
        if host["pair_info"] is None:
            raise web.HTTPForbidden(text="host not paired")
        return client_of({**host, "client_unique_id": user["client_unique_id"]})

    def described(self, user: User, number: int, state: str | None) -> dict[str, Any]:
        host = self.data.hosts[number]
        return {
            "host_id": number,
            "owner": "Global" if host["owner"] is None else "ThisUser",
            "name": host["cache"]["name"],
            "paired": "Paired" if host["pair_info"] else "NotPaired",
            "server_state": state,
        }

    async def _authenticate(self, request: web.Request) -> web.Response:
        self.user(request)
        return web.Response()

    async def _role(self, request: web.Request) -> web.Response:
        """Permissions and settings; they have no addresses of their own."""
        return web.json_response({"role": self.data.role_of(self.user(request))})

    async def _user(self, request: web.Request) -> web.Response:
        return web.json_response({"name": self.user(request)["name"]})

    async def _changed(self, request: web.Request) -> web.Response:
        self.user(request)
        return web.Response()

    async def _delete(self, request: web.Request) -> web.Response:
        """What a user may do with his own host, and so take away the stream."""
        user = self.user(request)
        number = _number(request.query.get("host_id"))
        self.host(user, number)
        del self.data.hosts[number]
        self.data.store()
        return web.Response()

    async def _hosts(self, request: web.Request) -> web.StreamResponse:
        """ndjson: first what is stored, then one line for each host that was asked."""
        user = self.user(request)
        mine = [n for n, h in self.data.hosts.items() if _may(self.data, user, h)]
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", **_UNCACHED})
        await response.prepare(request)
        await _line(response, {"hosts": [self.described(user, n, None) for n in mine]})
        for number in mine:
            if asked := await self._asked(user, number):
                await _line(response, asked)
        return response

    async def _asked(self, user: User, number: int) -> dict[str, Any] | None:
        """As the host says that it is; None of one that is away."""
        host = self.data.hosts[number]
        described = self.described(user, number, None)
        secure = host["pair_info"] is not None
        client = (
            self.client(user, host)
            if secure
            else client_of({**host, "client_unique_id": "", "pair_info": _NOBODY})
        )
        try:
            info = await asyncio.to_thread(client.serverinfo, secure)
        except (OSError, GameStreamError, ValueError):
            return None
        described["name"] = info["hostname"]
        described["paired"] = "Paired" if info["PairStatus"] == "1" else "NotPaired"
        described["server_state"] = "Busy" if info["state"].endswith("BUSY") else "Free"
        return described

    async def _host(self, request: web.Request) -> web.Response:
        user = self.user(request)
        number = _number(request.query.get("host_id"))
        self.host(user, number)
        return web.json_response({"host": await self._detailed(user, number)})

    async def _detailed(self, user: User, number: int) -> dict[str, Any]:
        host = self.data.hosts[number]
        info: dict[str, str] = {}
        if host["pair_info"]:
            try:
                info = await asyncio.to_thread(self.client(user, host).serverinfo, True)
            except (OSError, GameStreamError) as e:
                raise web.HTTPInternalServerError(text=str(e)) from e
        return {
            **(await self._asked(user, number) or self.described(user, number, None)),
            "address": host["address"],
            "http_port": host["http_port"],
            "https_port": int(info.get("HttpsPort", 0)),
            "external_port": int(info.get("ExternalPort", 0)),
            "version": info.get("appversion", ""),
            "gfe_version": info.get("GfeVersion", ""),
            "unique_id": info.get("uniqueid", ""),
            "mac": None,
            "local_ip": info.get("LocalIP", ""),
            "current_game": int(info.get("currentgame", 0)),
            "max_luma_pixels_hevc": int(info.get("MaxLumaPixelsHEVC", 0)),
            "server_codec_mode_support": int(info.get("ServerCodecModeSupport", 0)),
        }

    async def _apps(self, request: web.Request) -> web.Response:
        user = self.user(request)
        host = self.host(user, _number(request.query.get("host_id")))
        try:
            apps = await asyncio.to_thread(self.client(user, host).apps)
        except (OSError, GameStreamError) as e:
            raise web.HTTPInternalServerError(text=str(e)) from e
        listed = [{"app_id": a.id, "title": a.title, "is_hdr_supported": False} for a in apps]
        return web.json_response({"apps": listed})

    async def _cancel(self, request: web.Request) -> web.Response:
        user = self.user(request)
        host = self.host(user, _number((await _body(request)).get("host_id")))
        try:
            await asyncio.to_thread(self.client(user, host).cancel)
        except (OSError, GameStreamError) as e:
            raise web.HTTPInternalServerError(text=str(e)) from e
        return web.json_response({"success": True})

    async def _pair(self, request: web.Request) -> web.StreamResponse:
        """A PIN at once, the outcome as a second line when the host has decided."""
        user = self.user(request)
        number = _number((await _body(request)).get("host_id"))
        host = self.host(user, number)
        pin = f"{secrets.randbelow(10000):04d}"
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", **_UNCACHED})
        await response.prepare(request)
        await _line(response, {"Pin": pin})
        identity = await asyncio.to_thread(Identity.new)
        unique = user["client_unique_id"]
        client = Client(host["address"], host["http_port"], identity, None, unique, timeout=400)
        device = self.config["moonlight"]["pair_device_name"]
        try:
            server = await asyncio.to_thread(client.pair, pin, device)
        except (OSError, PairingFailed, GameStreamError, ValueError):
            await _line(response, "PairError")
            return response
        host["pair_info"] = {
            "client_private_key": identity.key,
            "client_certificate": identity.cert,
            "server_certificate": server,
        }
        self.data.store()
        await _line(response, {"Paired": await self._detailed(user, number)})
        return response

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        user = self.user(request)
        hidden = ("cookie", "authorization")
        headers = {n: v for n, v in request.headers.items() if n.lower() not in hidden}
        log.info("stream request %s %s", request.path, headers)
        return await (stream_v2 if self.major == 2 else stream_v3)(self, user, request)

    async def _config_js(self, _request: web.Request) -> web.Response:
        text = json.dumps(
            {"path_prefix": self.config["web_server"]["url_path_prefix"]}, separators=(",", ":")
        )
        start = "export default " if self.major == 2 else "window.__CONFIG_JS__ = "
        return web.Response(text=start + text, content_type="text/javascript")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        """Not authenticated, from the working directory."""
        root = Path("static").resolve()
        wanted = (root / request.match_info["path"]).resolve()
        if wanted.is_dir():
            wanted /= "index.html"
        if not wanted.is_relative_to(root) or not wanted.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(wanted)


_NOBODY = {"client_private_key": "", "client_certificate": "", "server_certificate": ""}


def _may(data: Data, user: User, host: dict[str, Any]) -> bool:
    return host["owner"] is None or data.users.get(host["owner"]) is user


async def _line(response: web.StreamResponse, value: Any) -> None:
    await response.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as e:
        raise web.HTTPBadRequest(text=str(e)) from e
    if not isinstance(body, dict):
        raise web.HTTPBadRequest
    return body


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as e:
        raise web.HTTPBadRequest(text="host_id is missing") from e
