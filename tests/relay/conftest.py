"""A gateway before a host that does as the test tells it; both on real sockets."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .gateway_process import RunningGateway, running_gateway
from .wires import FakeHost


@pytest.fixture(scope="session")
def host_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mlt-relay-") as directory:
        yield Path(directory) / "host.sock"


@pytest.fixture(autouse=True)
def host(host_path: Path) -> Iterator[FakeHost]:
    """On a Unix socket, as selkies is; a new one for each test at the same place."""
    host = FakeHost(host_path)
    yield host
    host.close()
    host_path.unlink()


@pytest.fixture
def tcp_host() -> Iterator[FakeHost]:
    """On a TCP port."""
    host = FakeHost()
    yield host
    host.close()


@pytest.fixture(scope="module")
def loop() -> str:
    """On which event loop the gateways of a module run; the product's choice, if the module has none."""
    return ""


@pytest.fixture(scope="module")
def gateway(host_path: Path, loop: str) -> Iterator[RunningGateway]:
    """Speaks plain HTTP and TLS, and shows its host a secret."""
    secret = {"x-host-secret": "s3cret"}
    with running_gateway(str(host_path), headers=secret, loop=loop) as gateway:
        yield gateway
