"""A server below /user/alice/ with a password: pages, cookies, XSRF and foreign origins."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import websocket
from moonlight_spawner import __version__

from tests.support.waiting import PATIENCE

from .host import GREETING, PAGE
from .node import Node
from .process import Portal
from .sessions import Records, a_process, current_user

SESSIONS = "api/moonlight/sessions"
EVIL = "https://evil.example"


@pytest.fixture
def recorded(desktop_dir: Path, node: Node) -> Iterator[str]:
    """A session of the portal's user on a recording node."""
    with a_process() as job:
        records = Records(desktop_dir, job)
        session_id = records.add(gateway=node.gateway)
        yield session_id
        records.store.remove(current_user(), session_id)


@pytest.fixture
def browser(portal: Portal) -> Iterator[httpx.Client]:
    with portal.browser() as browser:
        yield browser


def own_origin(portal: Portal) -> str:
    return f"http://127.0.0.1:{portal.port}"


def stream(session_id: str) -> str:
    return f"moonlight/sessions/{session_id}/desktop/"


class TestThePage:
    def test_of_the_list_and_of_a_session_is_one(self, browser: httpx.Client) -> None:
        pages = [browser.get(path) for path in ("moonlight/", "moonlight/sessions/ml-x/")]
        for page in pages:
            assert page.status_code == 200
            assert page.headers["content-type"].startswith("text/html")
            assert page.headers["cache-control"] == "no-store"
        assert pages[0].text == pages[1].text

    def test_knows_where_and_for_whom_it_is(self, browser: httpx.Client) -> None:
        html = browser.get("moonlight/").text
        config = re.search(r'<script id="moonlight-config"[^>]*>(.*?)</script>', html, re.DOTALL)
        assert config and json.loads(config[1]) == {
            "baseUrl": "/user/alice/",
            "user": current_user(),
            "version": __version__,
            "hubStart": None,
            "job": None,
            "sharing": "view",
            "joinUrl": None,
        }

    def test_loads_its_parts_from_below_the_base_url(
        self, browser: httpx.Client, portal: Portal
    ) -> None:
        html = browser.get("moonlight/").text
        parts = re.findall(r'(?:src|href)="(/[^"]+)"', html)
        assert len(parts) >= 2 and "__moonlight" not in html
        for part in parts:
            assert part.startswith("/user/alice/moonlight/static/assets/")
            found = browser.get(own_origin(portal) + part)
            assert found.status_code == 200
            assert "immutable" in found.headers["cache-control"]
            kind = "javascript" if part.endswith(".js") else "css"
            assert kind in found.headers["content-type"]

    def test_runs_no_script_of_others_and_is_framed_by_nobody_else(
        self, browser: httpx.Client
    ) -> None:
        policy = browser.get("moonlight/").headers["content-security-policy"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'self'" and "script-src" not in rules
        assert rules["frame-ancestors"] == rules["frame-src"] == "'self'"
        host = browser.base_url.netloc.decode()
        assert rules["connect-src"] == f"'self' ws://{host} wss://{host}"
        assert rules["object-src"] == rules["base-uri"] == "'none'"
        assert rules["form-action"] == "'self'"

    def test_is_found_without_its_slash(self, portal: Portal, browser: httpx.Client) -> None:
        for path in ("moonlight", "moonlight/sessions/ml-x"):
            answer = browser.get(path + "?lang=ko", follow_redirects=False)
            assert answer.status_code == 302
            assert answer.headers["location"] == f"/user/alice/{path}/?lang=ko"

    def test_needs_a_login(self, portal: Portal) -> None:
        with portal.client(login=False) as stranger:
            for path in ("moonlight/", "moonlight/sessions/ml-x/"):
                answer = stranger.get(path)
                assert answer.status_code == 302
                assert answer.headers["location"].startswith(
                    "/user/alice/login?next=%2Fuser%2Falice"
                )

    def test_serves_no_other_files(self, browser: httpx.Client) -> None:
        for path in ("../api.py", "..%2fapi.py", "%2e%2e/page.py", "assets/", "", "/etc/passwd"):
            answer = browser.get(f"moonlight/static/{path}", headers={"Accept": "*/*"})
            assert answer.status_code in (403, 404), path
            assert "import" not in answer.text


class TestACookie:
    def test_reads(self, browser: httpx.Client, recorded: str) -> None:
        sessions = browser.get(SESSIONS).json()["sessions"]
        session = next(s for s in sessions if s["session_id"] == recorded)
        assert session["web_url"] == f"/user/alice/moonlight/sessions/{recorded}/"
        assert session["stream_url"] == session["web_url"] + "desktop/"
        assert browser.get(stream(recorded)).content == PAGE

    @pytest.mark.parametrize("token", [None, "wrong", ""])
    def test_changes_nothing_without_the_xsrf_token(
        self, browser: httpx.Client, node: Node, recorded: str, token: str | None
    ) -> None:
        headers = {} if token is None else {"X-XSRFToken": token}
        answers = [
            browser.post(SESSIONS, json={"image": "desktop"}, headers=headers),
            browser.delete(f"{SESSIONS}/{recorded}", headers=headers),
            browser.put(f"{SESSIONS}/{recorded}/clipboard", json={"text": "x"}, headers=headers),
        ]
        for answer in answers:
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        assert node.control.asked == []
        assert browser.get(f"{SESSIONS}/{recorded}").json()["status"] == "running"

    def test_changes_with_the_xsrf_token_of_the_page(
        self, browser: httpx.Client, recorded: str
    ) -> None:
        browser.get("moonlight/")
        headers = {"X-XSRFToken": browser.cookies["_xsrf"]}
        launched = browser.post(SESSIONS, json={"image": "desktop"}, headers=headers)
        assert launched.json()["error"]["code"] == "image_unavailable"  # it got past the check
        stopped = browser.delete(f"{SESSIONS}/{recorded}", headers=headers)
        assert (stopped.status_code, stopped.json()["status"]) == (202, "stopping")

    def test_of_a_page_of_another_origin_changes_nothing(
        self, browser: httpx.Client, recorded: str
    ) -> None:
        headers = {"X-XSRFToken": browser.cookies["_xsrf"], "Origin": EVIL}
        assert browser.delete(f"{SESSIONS}/{recorded}", headers=headers).status_code in (403, 404)
        assert browser.get(f"{SESSIONS}/{recorded}").json()["status"] == "running"

    def test_never_reaches_the_host(
        self, browser: httpx.Client, node: Node, recorded: str, portal: Portal
    ) -> None:
        browser.get(stream(recorded))
        browser.post(stream(recorded), headers={"Origin": own_origin(portal)})
        seen = b"".join(node.host.heads).decode("latin-1")
        assert len(node.host.heads) == 2 and "cookie" not in seen.lower()
        assert all(cookie.value not in seen for cookie in browser.cookies.jar if cookie.value)


class TestTheOriginOfAStream:
    @pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1:1", "http://127.0.0.1", ""])
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_another_may_not_write(
        self, browser: httpx.Client, node: Node, recorded: str, method: str, origin: str
    ) -> None:
        headers = {"Origin": origin} if origin else {}
        answer = browser.request(method, stream(recorded), headers=headers, content=b"x")
        assert answer.status_code == 403
        assert node.host.heads == []

    def test_its_own_may(self, browser: httpx.Client, portal: Portal, recorded: str) -> None:
        answer = browser.post(
            stream(recorded) + "upload", headers={"Origin": own_origin(portal)}, content=b"abc"
        )
        assert answer.json()["size"] == 3

    def test_without_https_is_foreign_where_browsers_come_by_https(
        self, browser: httpx.Client, portal: Portal, recorded: str
    ) -> None:
        """A page without TLS may be anybody's who sits on the way to the browser."""
        behind = {"X-Forwarded-Proto": "https,http"}
        plain = own_origin(portal)
        for origin, status in ((plain, 403), (plain.replace("http:", "https:"), 200)):
            headers = behind | {"Origin": origin}
            answer = browser.post(stream(recorded) + "upload", headers=headers, content=b"abc")
            assert answer.status_code == status, origin

    def test_a_program_with_the_token_needs_none(self, portal: Portal, recorded: str) -> None:
        with portal.client() as program:
            assert program.post(stream(recorded) + "upload", content=b"ab").json()["size"] == 2

    @pytest.mark.parametrize("origin", [EVIL, "http://127.0.0.1:1", None])
    def test_another_may_open_no_websocket(
        self, browser: httpx.Client, portal: Portal, node: Node, recorded: str, origin: str | None
    ) -> None:
        for path in (stream(recorded) + "echo", f"moonlight/signaling?session={recorded}"):
            with pytest.raises(websocket.WebSocketBadStatusException) as error:
                self.connect(browser, portal, path, origin)
            assert error.value.status_code == 403
        assert node.host.heads == []

    def test_its_own_may_open_a_websocket(
        self, browser: httpx.Client, portal: Portal, node: Node, recorded: str
    ) -> None:
        socket = self.connect(browser, portal, stream(recorded) + "echo", own_origin(portal))
        assert socket.recv() == GREETING
        socket.send_binary(b"x" * 1000)
        assert socket.recv() == b"x" * 1000
        socket.shutdown()
        assert b"cookie" not in node.host.heads[0].lower()

    def connect(
        self, browser: httpx.Client, portal: Portal, path: str, origin: str | None
    ) -> websocket.WebSocket:
        cookies = "; ".join(f"{c.name}={c.value}" for c in browser.cookies.jar)
        return websocket.create_connection(
            portal.url.replace("http", "ws", 1) + path,
            cookie=cookies,
            origin=origin,
            suppress_origin=origin is None,
            timeout=PATIENCE,
        )
