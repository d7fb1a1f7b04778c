"""Which address of a desktop a terminal is told: one that a browser can use, or why there is none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_spawner.cli.page import Found, find_page
from moonlight_spawner.processes.mark import mark_of
from moonlight_spawner.sessions.page_address import (
    PageAddress,
    remember_page,
    remembered_page,
)
from moonlight_spawner.store.files import FileStore

ID = "ml-alice-4k7q2mzj5a"


class Servers:
    """Jupyter's list of running servers, in a directory of its own."""

    def __init__(self, directory: Path):
        self._directory = directory

    def add(self, url: str, base_url: str, pid: int) -> None:
        about = {"url": url, "base_url": base_url, "pid": pid, "token": "t"}
        (self._directory / f"jpserver-{pid}.json").write_text(json.dumps(about))


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    (tmp_path / "runtime").mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    return Servers(tmp_path / "runtime")


@pytest.fixture
def ours() -> Iterator[str]:
    """A server that has what is asked for, as one with our page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path.endswith("/api/moonlight/site") and "without" not in self.path
            self.send_response(200 if known else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "sessions")


def found(store: FileStore, door: str = "", portal: str = "") -> Found:
    site = SimpleNamespace(portal_url=portal, portal_base_url="/desktops/")
    manager: Any = SimpleNamespace(store=store, site=site)
    session: Any = SimpleNamespace(session_id=ID, door=door)
    return find_page(manager, session)


def test_where_a_browser_came_last_is_the_address(store: FileStore, servers: Servers) -> None:
    remember_page(store, "https://old.lab/moonlight/", False)
    remember_page(store, "https://hub.lab/user/alice/moonlight/", True)
    address = f"https://hub.lab/user/alice/moonlight/sessions/{ID}/"
    assert found(store, portal="https://portal.lab") == Found(address)


@pytest.mark.parametrize(("lasts", "kept"), [(False, None), (True, "https://lab/moonlight/")])
def test_an_address_ends_with_its_server_unless_a_hub_starts_that_again(
    store: FileStore, lasts: bool, kept: str | None
) -> None:
    with subprocess.Popen(["sleep", "600"]) as server:
        address = PageAddress(url="https://lab/moonlight/", server=mark_of(server.pid), lasts=lasts)
        (store.root / "page.json").write_text(address.model_dump_json())
        assert remembered_page(store) == "https://lab/moonlight/"
        server.kill()
    assert remembered_page(store) == kept


@pytest.mark.parametrize("text", ["", "{", '{"url": 7}', "[]"])
def test_a_damaged_address_is_none(store: FileStore, text: str) -> None:
    (store.root / "page.json").write_text(text)
    assert remembered_page(store) is None


def test_an_address_that_cannot_be_kept_is_no_reason_not_to_show_a_page(
    store: FileStore, caplog: pytest.LogCaptureFixture
) -> None:
    (store.root / "page.json").mkdir()
    remember_page(store, "https://lab/moonlight/", False)
    assert "cannot be kept" in caplog.text


def test_a_portals_address_is_its_settings(store: FileStore, servers: Servers) -> None:
    address = f"https://portal.lab/desktops/moonlight/sessions/{ID}/"
    assert found(store, portal="https://portal.lab") == Found(address)


def test_a_server_here_is_for_browsers_here(store: FileStore, servers: Servers, ours: str) -> None:
    servers.add(f"{ours}/without/", "/without/", os.getppid())
    servers.add(f"{ours}/base/", "/base/", os.getpid())
    one = found(store)
    assert one.url == f"{ours}/base/moonlight/sessions/{ID}/"
    assert "for a browser on this machine" in one.words and "ssh -L" in one.words


def test_a_port_that_is_another_users_by_now_gets_no_token(
    store: FileStore, servers: Servers
) -> None:
    os.seteuid(65534)
    try:
        stranger = socket.create_server(("127.0.0.1", 0))
    finally:
        os.seteuid(0)
    with stranger:
        stranger.setblocking(False)
        servers.add(f"http://127.0.0.1:{stranger.getsockname()[1]}/", "/", os.getpid())
        assert not found(store).url
        with pytest.raises(BlockingIOError):
            stranger.accept()


@pytest.mark.parametrize("public", ["", "https://hub.lab/user/alice/"])
def test_the_address_of_a_hubs_server_is_the_hubs(
    store: FileStore, servers: Servers, ours: str, public: str
) -> None:
    env = {
        **os.environ,
        "JUPYTERHUB_SERVICE_PREFIX": "/user/alice/",
        "JUPYTERHUB_PUBLIC_URL": public,
    }
    ready = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(ready, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout and server.stdout.readline()
        servers.add(f"{ours}/user/alice/", "/user/alice/", server.pid)
        one = found(store)
        server.kill()
    if public:
        assert one == Found(f"https://hub.lab/user/alice/moonlight/sessions/{ID}/")
    else:
        assert not one.url
        assert f"/user/alice/moonlight/sessions/{ID}/ of your JupyterHub" in one.words


def test_where_nothing_is_known_it_is_said(store: FileStore, servers: Servers) -> None:
    assert not found(store).url
    assert "Start one with `jupyter lab`" in found(store).words
    assert "Open OnDemand" in found(store, door="ood").words
    assert "in the launcher" in found(store, door="proxy").words
