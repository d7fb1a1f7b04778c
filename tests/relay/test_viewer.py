"""The viewer that a gateway serves for its one session: its page, its files, what that page asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.agent.gateway import Gateway
from moonlight_spawner.agent.gateway.door import Door
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.relay.one_session import OneSession
from moonlight_spawner.relay.upstream import Target
from moonlight_spawner.relay.viewer import Viewer

from tests.support.waiting import PATIENCE

from .gateway_process import SESSION, TOKEN, RunningGateway
from .test_page_token import DOCUMENT, FETCH, FRAME
from .wires import UPGRADE, Answer, FakeHost, answers, ask, get

INDEX = (
    '<html><head><script id="moonlight-config">__MOONLIGHT_CONFIG__</script>'
    '<script src="/__moonlight_base__/assets/index-1.js"></script></head></html>'
)
SAME = "Sec-Fetch-Site: same-origin\r\n"


@pytest.fixture
def static(tmp_path: Path) -> Path:
    built = tmp_path / "static"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text(INDEX)
    (built / "assets" / "index-1.js").write_text("let it = 1;")
    (built / "assets" / "style-1.css").write_text("p { color: red }")
    (built / ".sources.sha256").write_text("abc")
    (tmp_path / "secret.js").write_text("not yours")
    return built


@pytest.fixture
def asked() -> list[tuple[str, str, Any]]:
    return []


@pytest.fixture
def door() -> Door:
    return Door(TOKEN, SESSION)


@pytest.fixture
def with_viewer(
    host: FakeHost, host_path: Path, static: Path, tmp_path: Path, door: Door, asked: list[Any]
) -> Iterator[RunningGateway]:
    """A gateway with the viewer, in a thread of its own."""
    import threading

    async def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
        asked.append((method, path, body))
        return (200, {"ok": True}) if path == "sessions" else (404, {"message": "no"})

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    settings = {"only": SESSION, "user": "</script><b>"}
    tls, certificate = make_certificate(tmp_path, SESSION)
    one = OneSession(Viewer(static), answer, 100)
    target = Target(path=str(host_path))
    gateway = Gateway(door, lambda: target, tls, plain_http=True, viewer=one, settings=settings)
    asyncio.run_coroutine_threadsafe(gateway.start("127.0.0.1"), loop).result(PATIENCE)
    yield RunningGateway(gateway.port, certificate, 0, door.page)
    asyncio.run_coroutine_threadsafe(gateway.stop(), loop).result(PATIENCE)
    loop.call_soon_threadsafe(loop.stop)


@pytest.fixture
def cookie(door: Door) -> str:
    return "Cookie: " + door.set_cookie(secure=False).split(b";")[0].decode() + "\r\n"


def by_cookie(gateway: RunningGateway, path: str, cookie: str, *more: str) -> Answer:
    return ask(gateway, get(path, cookie, *more, bearer=False))


@pytest.mark.parametrize("path", ["/", "/node/n1/8080/", "/secure_node/n1/8080/"])
def test_who_goes_there_gets_the_viewer_with_the_pages_token(
    with_viewer: RunningGateway, host: FakeHost, cookie: str, path: str
) -> None:
    answer = by_cookie(with_viewer, path, cookie, DOCUMENT)
    page = answer.body.decode()
    assert answer.status == 200 and host.heads == []
    assert f'<head><meta name="moonlight-page" content="{with_viewer.page}">' in page
    assert 'src="moonlight/static/assets/index-1.js"' in page  # below whatever its address is
    assert "</script><b>" not in page and SESSION in page
    policy = answer.header("content-security-policy")
    assert "default-src 'self'" in policy and "unsafe-inline" not in policy.split("style-src")[0]
    assert answer.header("cache-control") == "no-store"
    assert by_cookie(with_viewer, path, "", DOCUMENT).status == 401
    assert by_cookie(with_viewer, path, cookie, FRAME, SAME).status == 403


def test_the_portal_which_has_a_viewer_of_its_own_gets_the_hosts_page(
    with_viewer: RunningGateway, host: FakeHost
) -> None:
    assert ask(with_viewer, get("/", DOCUMENT)).status == 200
    assert ask(with_viewer, get("/api/moonlight/sessions")).status == 200
    assert (
        len(host.heads) == 2
    )  # nothing of ours is answered: the portal decides what its pages may do


def test_its_files_are_kept_as_what_they_are_and_nothing_else_is_one(
    with_viewer: RunningGateway, host: FakeHost, cookie: str
) -> None:
    at = "/moonlight/static"
    for name, kind, text in (
        ("assets/index-1.js", "text/javascript; charset=utf-8", b"let it = 1;"),
        ("assets/style-1.css", "text/css; charset=utf-8", b"p { color: red }"),
    ):
        answer = by_cookie(with_viewer, f"{at}/{name}", cookie)
        assert (answer.status, answer.body, answer.header("content-type")) == (200, text, kind)
        assert answer.header("x-content-type-options") == "nosniff"
        assert "immutable" in answer.header("cache-control")
    assert by_cookie(with_viewer, f"{at}/assets/index-1.js", "").status == 401
    host.behave = answers(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    outside = ["/../secret.js", "/..%2fsecret.js", "/assets/../../secret.js", "/index.html"]
    for path in [*outside, "/.sources.sha256", "//etc/passwd", "/assets", "/assets/index-1.js/"]:
        answer = by_cookie(with_viewer, f"{at}{path}", cookie)
        assert answer.status == 404 and b"not yours" not in answer.body, path


def test_what_the_page_asks_wants_its_token(
    with_viewer: RunningGateway, cookie: str, asked: list[Any]
) -> None:
    path, shown = "/api/moonlight/sessions", f"X-Moonlight-Page: {with_viewer.page}\r\n"
    for more in ("", FETCH, DOCUMENT, FRAME + SAME, "X-Moonlight-Page: guess\r\n"):
        for at in (path, f"/desktop{path}", "/%61pi/moonlight/sessions", "/API/moonlight/x"):
            assert by_cookie(with_viewer, at, cookie, more).status == 403
    assert asked == []
    answer = by_cookie(with_viewer, path, cookie, FETCH, shown)
    assert (answer.status, json.loads(answer.body)) == (200, {"ok": True})
    assert answer.header("cache-control") == "no-store"
    assert by_cookie(with_viewer, path + "x", cookie, FETCH, shown).status == 404

    def put(body: str) -> Answer:
        head = f"PUT {path} HTTP/1.1\r\nHost: portal\r\n{cookie}{shown}"
        return ask(with_viewer, f"{head}Content-Length: {len(body)}\r\n", body.encode())

    asked.clear()
    assert put('{"text": 1}').status == 200 and put("no json").status == 200
    assert put("x" * 101).status == 413
    assert asked == [("PUT", "sessions", {"text": 1}), ("PUT", "sessions", None)]


def test_the_hosts_page_in_its_frame_comes_without_the_token(
    with_viewer: RunningGateway, host: FakeHost, cookie: str
) -> None:
    page = b"<html><head></head><p>the host</html>"
    length = b"Content-Length: %d\r\n\r\n" % len(page)
    host.behave = answers(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + length + page)
    framed = by_cookie(with_viewer, "/node/n1/8/desktop/x.html", cookie, FRAME, SAME)
    assert framed.body == page.replace(b"<head>", b'<head><script src="gate.js"></script>')
    assert b"GET /x.html " in host.last and framed.header("content-security-policy")
    other = "Sec-Fetch-Site: same-site\r\n"
    assert by_cookie(with_viewer, "/desktop/x.html", cookie, FRAME, other).status == 403
    assert by_cookie(with_viewer, "/x.html", cookie, FRAME, SAME).status == 403
    # What the host's API says comes as it is.
    shown = f"{DOCUMENT}X-Moonlight-Page: {with_viewer.page}\r\n"
    for path in ("/desktop/api/files/x.html", "/desktop/%61pi/files/x.html"):
        assert by_cookie(with_viewer, path, cookie, FRAME, SAME).status == 403
        assert by_cookie(with_viewer, path, cookie, shown).body == page


def test_whether_websockets_get_through_can_be_tried(
    with_viewer: RunningGateway, cookie: str
) -> None:
    at = "/desktop/websocket-check"
    shown = f"Sec-WebSocket-Protocol: moonlight-page, moonlight-page.{with_viewer.page}\r\n"
    assert by_cookie(with_viewer, at, cookie, UPGRADE).status == 403
    assert by_cookie(with_viewer, at, cookie, UPGRADE, shown).status == 101


def test_without_a_built_page_the_hosts_own_is_shown(tmp_path: Path) -> None:
    assert not Viewer(tmp_path).built
    assert Viewer().built  # as it is installed
