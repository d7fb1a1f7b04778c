"""Desktops behind a JupyterHub: for their owners, through the Hub's proxy, and for nobody else."""

from __future__ import annotations

import json
import re

import httpx
import pytest
import websocket

from tests.support.waiting import PATIENCE, wait_for

from ..jupyter.host import GREETING, PAGE
from ..jupyter.node import Node
from ..jupyter.sessions import TOKEN
from .hub import Hub, api_token

SESSIONS = "/user/alice/api/moonlight/sessions"


def stream(session_id: str) -> str:
    return f"/user/alice/moonlight/sessions/{session_id}/desktop/"


def xsrf(browser: httpx.Client) -> dict[str, str]:
    cookies = [c.value for c in browser.cookies.jar if c.name == "_xsrf" and "alice" in c.path]
    return {"X-XSRFToken": cookies[0] or ""}


def status(browser: httpx.Client, address: str) -> str:
    session = browser.get(address).json()
    assert session["status"] != "failed", session
    return str(session["status"])


def connect(hub: Hub, browser: httpx.Client, path: str, **options: object) -> websocket.WebSocket:
    cookies = [c for c in browser.cookies.jar if path.startswith(c.path)]
    return websocket.create_connection(
        hub.origin.replace("http", "ws", 1) + path,
        cookie="; ".join(f"{c.name}={c.value}" for c in cookies),
        timeout=PATIENCE,
        **{"origin": hub.origin, **options},
    )


class TestTheOwner:
    def test_has_the_page_with_its_parts(self, hub: Hub, alice: httpx.Client) -> None:
        html = alice.get("/user/alice/moonlight/").text
        config = re.search(r'<script id="moonlight-config"[^>]*>(.*?)</script>', html, re.DOTALL)
        assert config and json.loads(config[1])["baseUrl"] == "/user/alice/"
        parts = re.findall(r'(?:src|href)="(/[^"]+)"', html)
        assert len(parts) >= 2
        for part in parts:
            assert part.startswith("/user/alice/moonlight/static/")
            assert alice.get(part).status_code == 200

    def test_launches_and_stops_a_desktop(self, alice: httpx.Client) -> None:
        launched = alice.post(SESSIONS, json={}, headers=xsrf(alice))
        assert launched.status_code == 201, launched.text
        address = launched.headers["location"]
        assert address.startswith(SESSIONS + "/")
        wait_for(lambda: status(alice, address) == "running")
        page = alice.get(launched.json()["stream_url"])
        assert page.status_code == 200 and "<title>Selkies</title>" in page.text
        assert alice.delete(address, headers=xsrf(alice)).status_code == 202
        wait_for(lambda: status(alice, address) == "cancelled")

    def test_needs_the_xsrf_token(self, alice: httpx.Client, recorded: str) -> None:
        answer = alice.delete(f"{SESSIONS}/{recorded}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")

    def test_sees_the_desktop_through_the_proxy(self, alice: httpx.Client, recorded: str) -> None:
        assert alice.get(stream(recorded)).content == PAGE
        assert len(alice.get(stream(recorded) + "download?n=3000000").content) == 3_000_000

    def test_has_a_websocket_through_the_proxy(
        self, hub: Hub, alice: httpx.Client, recorded: str
    ) -> None:
        signaling = f"/user/alice/moonlight/signaling?session={recorded}"
        for path in (stream(recorded) + "echo", signaling):
            socket = connect(hub, alice, path)
            assert socket.recv() == GREETING
            socket.send_binary(b"x" * 10_000)
            assert socket.recv() == b"x" * 10_000
            socket.shutdown()

    def test_has_events_through_the_proxy(self, alice: httpx.Client, recorded: str) -> None:
        with alice.stream("GET", "/user/alice/api/moonlight/events") as events:
            lines = events.iter_lines()
            assert "event: sessions" in (next(lines) for _ in range(5))
            assert recorded in next(lines)


class TestWhatTheHostSees:
    def test_nothing_that_the_hub_would_take_for_a_login(
        self, hub: Hub, alice: httpx.Client, node: Node, recorded: str
    ) -> None:
        alice.get(stream(recorded))
        alice.post(stream(recorded), headers={"Origin": hub.origin})
        socket = connect(hub, alice, stream(recorded) + "echo")
        assert socket.recv() == GREETING
        socket.shutdown()
        seen = b"".join(node.host.heads).decode("latin-1")
        secrets = hub.secrets("alice", alice)
        assert len(node.host.heads) == 3 and len(secrets) >= 3
        for secret in (*secrets, "cookie", "authorization", "jupyterhub", TOKEN):
            assert secret.lower() not in seen.lower()

    def test_no_token_of_a_program(
        self, hub: Hub, alice: httpx.Client, node: Node, recorded: str
    ) -> None:
        token = api_token(alice, "alice")
        with httpx.Client(base_url=hub.origin, timeout=PATIENCE, trust_env=False) as program:
            header = {"Authorization": f"token {token}"}
            assert program.get(stream(recorded), headers=header).content == PAGE
        for options in (
            {"path": stream(recorded) + f"echo?token={token}&room=1"},
            {"path": f"/user/alice/moonlight/signaling?session={recorded}&token={token}&room=1"},
        ):
            socket = websocket.create_connection(
                hub.origin.replace("http", "ws", 1) + options["path"],
                header={"Sec-Fetch-Mode": "websocket"},
                suppress_origin=True,
                timeout=PATIENCE,
            )
            assert socket.recv() == GREETING
            socket.shutdown()
        assert len(node.host.heads) == 3
        assert all(token.encode() not in head for head in node.host.heads)
        assert all(b"room=1 HTTP" in head for head in node.host.heads[1:])


class TestAnotherUser:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    def test_reaches_no_call_and_no_stream(
        self, hub: Hub, bob: httpx.Client, node: Node, recorded: str, method: str
    ) -> None:
        for path in (SESSIONS, f"{SESSIONS}/{recorded}", stream(recorded)):
            answer = bob.request(method, path, headers={"Origin": hub.origin})
            assert answer.status_code in (403, 404, 405), path
            assert recorded not in answer.text.replace(path, "") and answer.content != PAGE
        assert node.host.heads == []

    def test_opens_no_websocket(
        self, hub: Hub, bob: httpx.Client, node: Node, recorded: str
    ) -> None:
        with pytest.raises(websocket.WebSocketBadStatusException) as error:
            connect(hub, bob, stream(recorded) + "echo")
        assert error.value.status_code in (302, 403)
        assert node.host.heads == []

    def test_has_no_such_session(self, bob: httpx.Client, recorded: str) -> None:
        assert bob.get(f"/user/bob/api/moonlight/sessions/{recorded}").status_code == 404
        answer = bob.get(f"/user/bob/moonlight/sessions/{recorded}/desktop/")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown")

    def test_with_a_token_of_his_own_reaches_nothing(
        self, hub: Hub, bob: httpx.Client, node: Node, recorded: str
    ) -> None:
        header = {"Authorization": f"token {api_token(bob, 'bob')}"}
        with httpx.Client(base_url=hub.origin, timeout=PATIENCE, trust_env=False) as program:
            for path in (SESSIONS, f"{SESSIONS}/{recorded}", stream(recorded)):
                assert program.get(path, headers=header).status_code == 403, path
        assert node.host.heads == []


def test_a_stranger_is_led_to_the_hubs_login_or_refused(
    hub: Hub, alice: httpx.Client, node: Node, recorded: str
) -> None:
    with httpx.Client(base_url=hub.origin, timeout=PATIENCE, trust_env=False) as stranger:
        page = stranger.get("/user/alice/moonlight/")
        assert page.status_code == 302 and "/hub/api/oauth2/authorize" in page.headers["location"]
        for path in (SESSIONS, stream(recorded)):
            assert stranger.get(path).status_code == 403
    assert node.host.heads == []
