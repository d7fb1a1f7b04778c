"""Whose invitation a server takes to whom, and for whom it opens another user's stream."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import websocket
from jupyter_server.serverapp import ServerApp
from moonlight_jupyter.guest import ticket
from moonlight_spawner.model.session import Gateway, now
from moonlight_spawner.relay.upstream import Target
from moonlight_spawner.sessions.invited import Invited, Way, text_of

from tests.support.waiting import PATIENCE

from . import raw
from .conftest import Call
from .node import Node
from .sessions import current_user

TOKEN = "t" * 43
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}


def invitation(gateway: Gateway) -> str:
    target = Target(
        addresses=tuple(gateway.hosts), port=gateway.port, certificate=gateway.certificate
    )
    return text_of(target, TOKEN)


def way_to(gateway: Gateway) -> Way:
    return Way(hosts=gateway.hosts, port=gateway.port, pin="ab" * 32)


async def opened(call: Call, path: str, shown: str) -> raw.Answer:
    key = base64.b64encode(os.urandom(16)).decode()
    said = {"Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": f"moonlight-page, {shown}"}
    return await call("GET", f"/moonlight/guest/{path}", {**UPGRADE, **said}, login=False)


async def test_the_token_is_told_to_nobody_with_another_certificate(call: Call, node: Node) -> None:
    text = invitation(node.impostor())
    refused = await call("POST", "/api/moonlight/guest", invitation=text)
    assert (refused.status, refused.code) == (502, "node_away")
    assert not any(node.impostor_heads), "an impostor was talked to"


async def test_a_gateway_that_is_gone_and_one_that_knows_of_nothing(call: Call, node: Node) -> None:
    """Its own gateway shares nothing: it has no guests."""
    refused = await call("POST", "/api/moonlight/guest", invitation=invitation(node.gateway))
    assert (refused.status, refused.code) == (403, "no_invitation")
    node.go_away()
    refused = await call("POST", "/api/moonlight/guest", invitation=invitation(node.gateway))
    assert (refused.status, refused.code) == (502, "node_away")


async def test_who_has_not_logged_in_brings_none(call: Call, node: Node) -> None:
    text = invitation(node.gateway)
    refused = await call("POST", "/api/moonlight/guest", login=False, invitation=text)
    assert refused.status == 403
    for body in ({}, {"invitation": 7}, {"invitation": "x"}):
        refused = await call("POST", "/api/moonlight/guest", **(body or {"else": 1}))
        assert (refused.status, refused.code) == (400, "invalid_request")
        assert refused.json["error"]["fields"][0]["field"] == "invitation"


@pytest.fixture
def listener() -> Iterator[tuple[socket.socket, Gateway]]:
    """Where nobody is to come."""
    with socket.create_server(("127.0.0.1", 0)) as here:
        here.setblocking(False)
        port = here.getsockname()[1]
        yield here, Gateway(hosts=["127.0.0.1"], port=port, certificate="none")


def news(address: str, shown: str) -> Any:
    stream = websocket.create_connection(
        address, subprotocols=["moonlight-page", shown], timeout=PATIENCE
    )
    try:
        return json.loads(stream.recv())
    finally:
        stream.shutdown()


async def test_a_ticket_that_is_not_this_users_opens_no_stream(
    call: Call, jp_serverapp: ServerApp, listener: tuple[socket.socket, Gateway]
) -> None:
    here, gateway = listener
    sockets = jp_serverapp.connection_url.replace("http", "ws", 1)
    secret: Any = jp_serverapp.web_app.settings["cookie_secret"]
    invited = Invited(
        way=way_to(gateway), bearer=TOKEN, role="view", until=now() + timedelta(hours=1)
    )
    past = invited.model_copy(update={"until": now() - timedelta(seconds=1)})
    own = current_user()
    tickets = {
        "none": "",
        "made up": ticket.seal("another secret", own, invited),
        "another user's": ticket.seal(secret, own + "x", invited),
        "over": ticket.seal(secret, own, past),
    }
    for what, sealed in tickets.items():
        shown = f"moonlight-page.{sealed}"
        assert (await opened(call, "api/websockets", shown)).status == 403, what
        # A page cannot read a status: it is told in the words that it waits for.
        told = await asyncio.to_thread(news, f"{sockets}moonlight/guest/news", shown)
        assert told == {"over": "no_invitation"}, what
    with pytest.raises(BlockingIOError):
        here.accept()
    for path in ("news", "api/websockets"):
        assert (await call("GET", f"/moonlight/guest/{path}")).status == 426


async def test_the_clients_files_are_a_list(call: Call) -> None:
    page = await call("GET", "/moonlight/guest/client.html", login=False)
    policy = page.header("content-security-policy")
    assert page.status == 200 and policy.startswith("sandbox allow-scripts allow-pointer-lock;")
    assert "default-src 'none'" in policy and "allow-same-origin" not in policy
    for path in ("handlers.py", "src/../client.html", "src/%2e%2e/x.js", "etc/passwd", "src/no.js"):
        assert (await call("GET", f"/moonlight/guest/{path}", login=False)).status == 404, path


class TestWhereNothingIsShared:
    @pytest.fixture
    def site_settings(self) -> dict[str, Any]:
        return {"sharing": "off"}

    async def test_nobody_is_a_guest(
        self, call: Call, jp_serverapp: ServerApp, listener: tuple[socket.socket, Gateway]
    ) -> None:
        here, gateway = listener
        refused = await call("POST", "/api/moonlight/guest", invitation="x")
        assert (refused.status, refused.code) == (403, "sharing_off")
        invited = Invited(
            way=way_to(gateway), bearer=TOKEN, role="view", until=now() + timedelta(hours=1)
        )
        secret: Any = jp_serverapp.web_app.settings["cookie_secret"]
        shown = f"moonlight-page.{ticket.seal(secret, current_user(), invited)}"
        assert (await opened(call, "api/websockets", shown)).status == 403
        with pytest.raises(BlockingIOError):
            here.accept()
