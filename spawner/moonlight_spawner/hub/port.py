"""The single-user server tells the Hub its port, and nothing else.

batchspawner's own handler (1.3.0) sets whatever attribute of the spawner the request names. The
server's token is its user's, so he could change the commands that the Hub runs, as the Hub.
"""

from __future__ import annotations

import hmac
import json
import logging

import batchspawner.api  # registers the handler that is replaced here
from jupyterhub import apihandlers
from jupyterhub.apihandlers.base import APIHandler
from tornado import web

log = logging.getLogger(__name__)

_PATH = r"/api/batchspawner"


class PortHandler(APIHandler):  # type: ignore[misc]  # jupyterhub has no types
    """``POST /hub/api/batchspawner`` with ``{"port": …}``, by the token of the server that starts."""

    @web.authenticated
    def post(self) -> None:
        token = self.get_auth_token() or ""
        spawners = [
            spawner
            for spawner in self.current_user.spawners.values()
            if spawner.api_token and hmac.compare_digest(spawner.api_token, token)
        ]
        if not spawners:
            raise web.HTTPError(403, "This token is not that of a server that is being started.")
        body = self.get_json_body()
        port = body.get("port") if isinstance(body, dict) else None
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
            raise web.HTTPError(400, "port must be a whole number from 1 to 65535.")
        if others := sorted(set(body) - {"port"}):
            log.warning("%s sent more than a port: %s", self.current_user.name, others)
            raise web.HTTPError(400, "A server may tell its port, and nothing else.")
        spawners[0].port = port
        self.set_status(201)
        self.finish(json.dumps({"message": "The port is known."}))


def replace_handler() -> None:
    """Put it in the place of batchspawner's, for all spawners of this Hub."""
    handlers = apihandlers.default_handlers
    theirs = (_PATH, batchspawner.api.BatchSpawnerAPIHandler)
    if theirs not in [handler[:2] for handler in handlers]:
        raise ImportError("batchspawner's handler is not where it was in 1.3; it takes anything.")
    handlers[:] = [
        (_PATH, PortHandler) if handler[:2] == theirs else handler for handler in handlers
    ]
