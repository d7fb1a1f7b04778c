"""A real Jupyter server with the extension, and real desktops. Nothing outlives its test."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from moonlight_spawner.model.session import Session
from pytest_jupyter.jupyter_server import *  # noqa: F403
from traitlets.config import Config

from . import raw, sessions
from .described import Described
from .node import Node
from .process import Portal

Call = Callable[..., Awaitable[raw.Answer]]


@pytest.fixture(scope="session")
def desktop_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the one desktop of this process keeps its records."""
    directory = tmp_path_factory.mktemp("desktop") / "sessions"
    yield directory
    sessions.stop_all(directory)


@pytest.fixture(scope="session")
def desktop(desktop_dir: Path) -> Session:
    """A real desktop that runs, one for all tests of this process that do not end it."""
    # Longer than any run of the tests; stop_all() ends it anyway.
    return sessions.start_desktop(sessions.site_config(desktop_dir, hours=2.0, max_hours=2.0))


@pytest.fixture
def sessions_dir(tmp_path: Path) -> Iterator[Path]:
    """The test's own records; its sessions end with it."""
    directory = tmp_path / "sessions"
    yield directory
    sessions.stop_all(directory)


@pytest.fixture
def site_settings() -> dict[str, Any]:
    """More settings of the site; tests override it."""
    return {}


@pytest.fixture
def jp_server_config(sessions_dir: Path, site_settings: dict[str, Any]) -> Config:
    config = Config({"ServerApp": {"jpserver_extensions": {"moonlight_jupyter": True}}})
    config.merge(sessions.site_config(sessions_dir, **site_settings))
    return config


@pytest.fixture
def records(sessions_dir: Path) -> Iterator[sessions.Records]:
    with sessions.a_process() as job:
        yield sessions.Records(sessions_dir, job)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node with a real gateway before a streaming host that records what reaches it."""
    with Node(tmp_path) as node:
        yield node


@pytest.fixture
def recorded(records: sessions.Records, node: Node) -> str:
    """Id of a session that runs on that node."""
    return records.add(gateway=node.gateway)


@pytest.fixture
def call(
    jp_serverapp: ServerApp,
    http_server_client: Any,
    jp_base_url: str,
    jp_auth_header: dict[str, str],
) -> Call:
    """One call below the base URL, logged in unless told otherwise."""

    async def call(
        method: str,
        path: str | bytes,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        login: bool = True,
        **fields: Any,
    ) -> raw.Answer:
        path = path if isinstance(path, bytes) else path.encode("latin-1")
        target = jp_base_url.rstrip("/").encode() + path
        more = {**(jp_auth_header if login else {}), **(headers or {})}
        data = body or (json.dumps(fields).encode() if fields else b"")
        return await raw.exchange(http_server_client.get_http_port(), method, target, more, data)

    return call


@pytest.fixture
def described(call: Call, jp_asyncio_loop: Any) -> Described:
    """The OpenAPI document of the server."""
    answer = jp_asyncio_loop.run_until_complete(call("GET", "/api/moonlight/openapi.json"))
    return Described(answer.json)


@pytest.fixture
def api(call: Call, described: Described) -> Call:
    """As ``call`` for the REST API; each answer is held against the served document."""

    async def api(method: str, path: str, **more: Any) -> raw.Answer:
        answer = await call(method, "/api/moonlight" + path, **more)
        described.check(method, "/api/moonlight" + path.partition("?")[0], answer)
        return answer

    return api


@pytest.fixture(scope="session")
def portal(desktop_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """A server process below /user/alice/ that people log in to with a password."""
    with Portal(tmp_path_factory.mktemp("portal"), desktop_dir) as portal:
        yield portal
