"""The page behind jupyter-server-proxy: what starts a desktop, and who cannot."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from moonlight_spawner.model.errors import UnsafeDirectory
from moonlight_spawner.model.files import write_private
from moonlight_spawner.model.records import AgentStatus, Facts, Job
from moonlight_spawner.model.session import (
    End,
    Gateway,
    Resources,
    State,
    new_session_id,
)
from moonlight_spawner.proxied.server import ProxiedDoor, _Visitor, serve
from moonlight_spawner.relay import viewer
from moonlight_spawner.sessions.manager import SessionManager
from moonlight_spawner.site.options import MoonlightSite
from tornado.simple_httpclient import SimpleAsyncHTTPClient

PAGE = {"Accept": "text/html", "Sec_Fetch_Site": "same-origin"}
Answer = tuple[int, str, str]
Ask = Callable[..., Awaitable[Answer]]


def asking(
    tmp_path: Path, check: Callable[[SessionManager, Ask], Awaitable[None]], **settings: object
) -> None:
    """Serve on a socket, and hand ``check`` what asks there."""

    async def run() -> None:
        site = MoonlightSite(scheduler="local", sessions_dir=str(tmp_path / "s"), **settings)
        manager = SessionManager(site)
        door = ProxiedDoor(manager, manager.store.user)
        path = str(tmp_path / "socket")
        server = await asyncio.get_running_loop().create_unix_server(lambda: _Visitor(door), path)

        async def ask(target: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
            reader, writer = await asyncio.open_unix_connection(path)
            lines = [f"{method} {target} HTTP/1.1", "Host: lab", f"Content-Length: {len(body)}"]
            lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
            lines += [] if "Connection" in headers else ["Connection: close"]
            writer.write(("\r\n".join([*lines, "", ""]) + body).encode())
            head, _, text = (await reader.read()).decode().partition("\r\n\r\n")
            writer.close()
            return int(head.split()[1]), head.lower(), text

        try:
            await check(manager, ask)
        finally:
            server.close()
            await door.close()
            await manager.close()

    asyncio.run(run())


def put(manager: SessionManager, resources: Resources, status: AgentStatus) -> str:
    user, session_id = manager.store.user, new_session_id(manager.store.user)
    facts = Facts(
        session_id=session_id, user=user, image_id="x", image_name="X", host="selkies",
        scheduler="local", door="proxy", request=resources,
    )  # fmt: skip
    manager.store.put(user, session_id, "facts", facts)
    manager.store.put(user, session_id, "job", Job(job_id=session_id))
    directory = manager.store.directory(session_id)
    write_private(directory / "status.json", status.model_dump_json())
    write_private(directory / "token", "secret")
    (directory / "agent.log").write_text("the last <words>\n")
    return session_id


def test_only_a_visit_starts_a_desktop(tmp_path: Path) -> None:
    """Neither jupyter-server-proxy's own look, nor a page that was left open, nor another site's."""

    async def check(manager: SessionManager, ask: Ask) -> None:
        status, head, page = await ask("/", **(PAGE | {"Accept": "*/*"}))
        assert (status, 'data-page="idle"' in page) == (200, True)
        assert "no-store" in head and "default-src 'none'" in head
        assert "<script" not in page
        assert json.loads((await ask("/api/moonlight/sessions"))[2]) == {"sessions": []}
        assert (await ask("/start", "POST", "token=guessed", Origin="http://lab"))[0] == 403
        assert manager.store.ids(manager.store.user) == []

    asking(tmp_path, check)


CAME = {
    "from JupyterLab's launcher": ("same-origin", "trouble"),
    "by a typed address": ("none", "trouble"),
    "by another site": ("cross-site", "idle"),
    "by another site of the organisation": ("same-site", "idle"),
    "with a browser that does not say": ("", "idle"),
}


@pytest.mark.parametrize(("site", "shown"), CAME.values(), ids=CAME)
def test_who_came_by_himself_starts_a_desktop_and_others_find_one(
    tmp_path: Path, resources: Resources, site: str, shown: str
) -> None:
    """Here none can be started: who tries to is told."""
    visit = {"Accept": "text/html"} | ({"Sec_Fetch_Site": site} if site else {})

    async def check(manager: SessionManager, ask: Ask) -> None:
        _, _, page = await ask("/", **visit)
        assert f'data-page="{shown}"' in page
        assert 'action="start"' in page and 'data-testid="start"' in page
        session_id = put(manager, resources, AgentStatus(phase="starting", node="n1"))
        for _ in range(2):  # a trouble is told once
            _, _, page = await ask("/", **visit)
        assert f'"only": "{session_id}"' in page

    asking(tmp_path, check, host_desktop="never", images_dir=str(tmp_path / "images"))


def test_only_pages_of_the_portal_show_it_in_a_frame(tmp_path: Path, resources: Resources) -> None:
    async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        theirs = "Content-Security-Policy: frame-ancestors *; img-src 'self'"
        head = f"HTTP/1.1 200 OK\r\n{theirs}\r\nX-Frame-Options: DENY\r\nContent-Length: 0"
        writer.write(f"{head}\r\n\r\n".encode())
        writer.close()

    async def check(manager: SessionManager, ask: Ask) -> None:
        answers = {
            path: await ask(path, **PAGE)
            for path in (
                "/desktop",
                "/desktop/",
                "/api/moonlight/sessions",
                "/no",
                "/desktop/control/x",
            )
        }
        answers["nothing yet"] = await ask("/")
        for method in ("POST", "PUT"):
            for path in ("/start", "/desktop/x", "/api/moonlight/sessions"):
                answers[f"{method} {path}"] = await ask(path, method, "token=x")
        server = await asyncio.start_server(host, "127.0.0.1")
        async with server:
            port = server.sockets[0].getsockname()[1]
            gateway = Gateway(hosts=["127.0.0.1"], port=port, certificate="")
            put(manager, resources, AgentStatus(phase="running", node="n1", gateway=gateway))
            answers["the viewer"] = await ask("/", **PAGE)
            answers["the host's"] = await ask("/desktop/")
        assert {status for status, _, _ in answers.values()} == {200, 303, 403, 404, 503}
        for what, (_, head, _) in answers.items():
            lines = [line for line in head.split("\r\n") if "frame-" in line]
            found = [word for line in lines for word in re.findall("frame-ancestors[^;,]*", line)]
            assert found == ["frame-ancestors 'self'"], what
            assert "x-frame-options" not in head, what
        assert "img-src 'self'" in answers["the host's"][1]

    asking(tmp_path, check)


def test_what_cannot_be_started_is_told_and_may_be_tried_again(tmp_path: Path) -> None:
    async def check(manager: SessionManager, ask: Ask) -> None:
        status, _, page = await ask("/", **PAGE)
        assert 'data-page="trouble"' in page and "not installed here" in page
        token = re.search(r'name="token" value="([^"]+)"', page)
        assert token
        status, head, _ = await ask("/start", "POST", f"token={token[1]}")
        assert status == 303 and "location: ./" in head
        page = (await ask("/", Accept="*/*", Accept_Language="ko"))[2]
        assert "데스크톱을 시작할 수 없습니다" in page and 'role="alert"' in page
        again = json.dumps({"where": "job"})  # as the viewer asks for another
        answer = await ask("/api/moonlight/sessions", "POST", again, Origin="http://lab")
        assert answer[0] in (404, 409) and "not installed here" in json.loads(answer[2])["message"]
        assert manager.store.ids(manager.store.user) == []

    asking(tmp_path, check, host_desktop="never", images_dir=str(tmp_path / "images"))


def test_where_the_page_is_not_built_the_desktops_own_is_led_to(
    tmp_path: Path, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewer, "_installed", lambda: None)

    async def check(manager: SessionManager, ask: Ask) -> None:
        gateway = Gateway(hosts=["127.0.0.1"], port=9, certificate="PEM")
        put(manager, resources, AgentStatus(phase="running", node="n1", gateway=gateway))
        status, head, _ = await ask("/", **PAGE)
        assert (status, "location: desktop/" in head) == (303, True)
        assert (await ask("/moonlight/static/assets/index.js"))[0] == 404

    asking(tmp_path, check)


def test_a_desktop_is_found_again_and_its_end_told(tmp_path: Path, resources: Resources) -> None:
    async def check(manager: SessionManager, ask: Ask) -> None:
        gateway = Gateway(hosts=["127.0.0.1"], port=9, certificate="PEM")
        running = AgentStatus(phase="running", node="n1", gateway=gateway)
        session_id = put(manager, resources, running)
        _, head, page = await ask("/", **PAGE)
        assert f'"only": "{session_id}"' in page and '"can": ["launch", "logs"]' in page
        passes = SimpleAsyncHTTPClient(force_instance=True).max_buffer_size
        assert f'"largestDownload": {passes}' in page
        assert "default-src 'self'" in head and "moonlight/static/assets/" in page
        assert '"hubStart": null' in page
        with pytest.MonkeyPatch.context() as hub:
            hub.setenv("JUPYTERHUB_BASE_URL", "/p/")
            hub.setenv("JUPYTERHUB_SERVICE_PREFIX", "/p/user/alice/one/")
            assert '"hubStart": "/p/hub/spawn/alice/one"' in (await ask("/", **PAGE))[2]
        assert manager.store.ids(manager.store.user) == [session_id]
        one = f"/api/moonlight/sessions/{session_id}"
        [listed] = json.loads((await ask("/api/moonlight/sessions"))[2])["sessions"]
        assert listed == json.loads((await ask(one))[2])
        assert (listed["status"], listed["stream_url"]) == ("running", "./desktop/")
        assert "PEM" not in json.dumps(listed)
        limits = json.loads((await ask("/api/moonlight/site"))[2])["limits"]
        assert limits["width"]["max"] == manager.site.max_width
        assert (await ask(f"{one}/clipboard"))[0] == 502  # nobody answers at that node
        assert (await ask(one + "x"))[0] == 404
        for method in ("DELETE", "POST"):  # of another site
            for origin in ({}, {"Origin": "http://evil"}):
                assert (await ask(one, method, **origin))[0] == 403

        # What is the portal's own is not for the desktop's page, nor for pages of other sites.
        for path in ("/desktop/control/native", "/desktop/node/n1/9/control/clipboard"):
            assert (await ask(path))[0] == 404
        assert (await ask("/desktop/x", "POST", "x"))[0] == 403
        assert (await ask("/desktop/x", "POST", "x", Origin="http://evil"))[0] == 403
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "http://evil"}
        assert (await ask("/desktop/x", **upgrade))[0] == 403

        why = End(state=State.FAILED, code="XServerEnded", reason="X <ended>.")
        ended = AgentStatus(phase="ended", node="n1", end=why)
        path = manager.store.directory(session_id) / "status.json"
        write_private(path, ended.model_dump_json())
        for _ in range(2):  # and no second one is started by looking at it
            _, _, page = await ask("/", **PAGE)
            assert f'"only": "{session_id}"' in page
        shown = json.loads((await ask(one))[2])
        assert (shown["status"], shown["reason"]) == ("failed", "X <ended>.")
        logs = json.loads((await ask(f"{one}/logs?tail=65536"))[2])["logs"]
        assert "the last <words>\n" in [log["text"] for log in logs]
        assert (await ask(f"{one}/clipboard"))[0] == 409
        assert (await ask("/desktop/"))[0] == 410
        assert manager.store.ids(manager.store.user) == [session_id]

    asking(tmp_path, check)


def test_a_socket_that_others_could_reach_is_not_served(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    manager = SessionManager(MoonlightSite(scheduler="local", sessions_dir=str(tmp_path / "s")))
    with pytest.raises(UnsafeDirectory, match="0700"):
        asyncio.run(serve(manager, manager.store.user, tmp_path / "socket"))
