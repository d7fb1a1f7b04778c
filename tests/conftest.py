"""What all tests share. Real services are started by the folders' own fixtures."""

from __future__ import annotations

import pytest
from moonlight_spawner.agent.display.screen import make_sockets

pytest_plugins = [
    "tests.cluster.fixtures",
    "tests.support.loops",
    "tests.support.order",
    "tests.support.cores",
    "tests.support.ending",
    "tests.support.growth",
    "tests.support.reachable",
    "tests.support.site",
]


@pytest.fixture(scope="session", autouse=True)
def x_sockets() -> None:
    """/tmp/.X11-unix as a node's boot makes it: tests act as users who may not."""
    make_sockets()
