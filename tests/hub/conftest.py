"""One Hub with two users, alice and bob, for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ..jupyter import sessions
from ..jupyter.node import Node
from .hub import Hub


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    directory = tmp_path_factory.mktemp("hub")
    with Hub(directory) as hub:
        yield hub
    for user in ("alice", "bob"):
        sessions.stop_all(hub.sessions_dir(user))


@pytest.fixture(scope="session")
def alice(hub: Hub) -> Iterator[httpx.Client]:
    with hub.browser("alice") as browser:
        yield browser


@pytest.fixture(scope="session")
def bob(hub: Hub) -> Iterator[httpx.Client]:
    with hub.browser("bob") as browser:
        yield browser


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path) as node:
        yield node


@pytest.fixture
def recorded(hub: Hub, node: Node) -> Iterator[str]:
    """A session of alice's on a recording node."""
    with sessions.a_process() as job:
        records = sessions.Records(hub.sessions_dir("alice"), job)
        session_id = records.add(gateway=node.gateway)
        yield session_id
        records.store.remove(sessions.current_user(), session_id)
