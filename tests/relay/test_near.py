"""The way by a Unix socket, where portal and gateway are on one machine: for their own user alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.agent.display.screen import Screen
from moonlight_spawner.agent.entrance import Entrance
from moonlight_spawner.agent.gateway import Gateway
from moonlight_spawner.agent.gateway.door import Door
from moonlight_spawner.agent.hosts import Host
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.agent.status import StatusFile
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.model.session import Gateway as Record
from moonlight_spawner.processes.mark import this_machine
from moonlight_spawner.relay.upstream import UpstreamError, call
from moonlight_spawner.sessions.reach import gateway_target, near_target

from tests.support.waiting import PATIENCE
from tests.unit.desk import spec

from .gateway_process import SESSION, TOKEN
from .wires import BEARER

pytestmark = pytest.mark.usefixtures("each_loop")

STRANGER = 65534
CLOSED_PORT = 1

Work = Callable[[Gateway, Record], Awaitable[None]]


@pytest.fixture
def place() -> Iterator[Path]:
    """As an agent's runtime directory: short, private, and in a directory of root's."""
    with tempfile.TemporaryDirectory(prefix="mlt-near-", dir="/tmp") as directory:
        yield Path(directory)


@contextlib.contextmanager
def as_a_stranger() -> Iterator[None]:
    os.seteuid(STRANGER)
    try:
        yield
    finally:
        os.seteuid(0)


def at_gateway(place: Path, work: Work) -> None:
    """Do it while a gateway listens on a port and at ``place``; it gets the record of both."""

    async def run() -> None:
        tls, certificate = make_certificate(place, SESSION)
        gateway = Gateway(Door(TOKEN, SESSION), lambda: None, tls)
        await gateway.start("127.0.0.1")
        try:
            gateway.open_near(place / "gateway")
            record = Record(
                hosts=["127.0.0.1"],
                port=gateway.port,
                certificate=certificate,
                socket=str(place / "gateway"),
                machine=this_machine(),
            )
            await asyncio.wait_for(work(gateway, record), PATIENCE)
        finally:
            await gateway.stop()

    asyncio.run(run())


async def health(record: Record, token: str = TOKEN) -> int:
    target = near_target(record, token.encode())
    status, _ = await call(target, "GET", "/healthz", target.headers)
    return status


def without_port(record: Record) -> Record:
    """What answers then has been reached by the socket."""
    return record.model_copy(update={"port": CLOSED_PORT})


def test_the_sessions_own_user_comes_by_the_socket(place: Path) -> None:
    async def work(gateway: Gateway, record: Record) -> None:
        assert await health(without_port(record)) == 200
        assert (place / "gateway").stat().st_mode & 0o777 == 0o600

    at_gateway(place, work)


def test_the_socket_alone_opens_nothing(place: Path) -> None:
    async def work(gateway: Gateway, record: Record) -> None:
        assert await health(without_port(record), "a" * 43) == 401

    at_gateway(place, work)


def test_a_portals_service_never_comes_by_it(place: Path) -> None:
    async def work(gateway: Gateway, record: Record) -> None:
        target = gateway_target(without_port(record), TOKEN.encode())
        with pytest.raises(UpstreamError, match="refused"):
            await call(target, "GET", "/healthz", target.headers)

    at_gateway(place, work)


def test_another_machine_of_the_same_name_does_not_take_it_for_its_own(place: Path) -> None:
    """A home is seen by both, and what lies at that path of this one is somebody else's session."""

    async def work(gateway: Gateway, record: Record) -> None:
        for machine in ("0" * 8, ""):
            there = record.model_copy(update={"machine": machine})
            assert near_target(there, TOKEN.encode()).near is None
            assert await health(there) == 200

    at_gateway(place, work)


def test_records_of_older_versions_have_none(place: Path) -> None:
    async def work(gateway: Gateway, record: Record) -> None:
        old = Record.model_validate(record.model_dump(exclude={"socket", "machine"}))
        assert near_target(old, TOKEN.encode()).near is None
        assert await health(old) == 200

    at_gateway(place, work)


def open_to_others(place: Path) -> None:
    place.chmod(0o711)


def of_another_user(place: Path) -> None:
    os.chown(place, STRANGER, STRANGER)


def a_link_to_one(place: Path) -> None:
    (place / "gateway").rename(place / "real")
    (place / "gateway").symlink_to("real")


def a_socket_of_another_user(place: Path) -> None:
    os.chown(place / "gateway", STRANGER, STRANGER)


def no_socket(place: Path) -> None:
    (place / "gateway").unlink()
    (place / "gateway").touch()


def nothing(place: Path) -> None:
    (place / "gateway").unlink()


@pytest.mark.parametrize(
    "what",
    [open_to_others, of_another_user, a_link_to_one, a_socket_of_another_user, no_socket, nothing],
)
def test_a_place_that_is_not_the_users_alone_is_not_used(
    place: Path, what: Callable[[Path], None]
) -> None:
    async def work(gateway: Gateway, record: Record) -> None:
        what(place)
        assert near_target(record, TOKEN.encode()).near is None
        assert await health(record) == 200

    at_gateway(place, work)


def test_a_place_that_others_may_exchange_is_not_used(place: Path) -> None:
    private = place / "private"
    private.mkdir(mode=0o700)

    async def work(gateway: Gateway, record: Record) -> None:
        assert near_target(record, TOKEN.encode()).near
        place.chmod(0o777)
        assert near_target(record, TOKEN.encode()).near is None

    at_gateway(private, work)


def test_who_listens_in_the_place_of_the_gateway_hears_nothing(place: Path) -> None:
    """A stranger's socket, even one that got past all that protects the place."""

    async def work(gateway: Gateway, record: Record) -> None:
        (place / "gateway").unlink()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place / "gateway"))
            with as_a_stranger():
                listener.listen()
            listener.setblocking(False)
            target = near_target(record, TOKEN.encode())
            assert target.near
            assert await health(record) == 200, "by the port, where the certificate is asked for"
            came, _ = listener.accept()
            with came:
                assert came.recv(65536) == b""
            with pytest.raises(UpstreamError):
                await call(replace(target, port=CLOSED_PORT), "GET", "/healthz", target.headers)

    at_gateway(place, work)


def test_who_is_another_user_is_not_let_in_by_it(place: Path) -> None:
    """Whatever became of the place's mode, and whatever he knows."""

    async def work(gateway: Gateway, record: Record) -> None:
        place.chmod(0o755)
        (place / "gateway").chmod(0o666)
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.setblocking(False)
            with as_a_stranger():
                stranger.connect(str(place / "gateway"))
            loop = asyncio.get_running_loop()
            head = f"GET /healthz HTTP/1.1\r\nHost: p\r\n{BEARER}\r\n"
            answer = b""
            with contextlib.suppress(ConnectionError):
                await loop.sock_sendall(stranger, head.encode())
                answer = await loop.sock_recv(stranger, 100)
            assert answer == b""
        assert await health(record) == 200

    at_gateway(place, work)


def test_a_socket_that_nobody_listens_on_any_more_is_passed_over(place: Path) -> None:
    """Its agent was killed."""

    async def work(gateway: Gateway, record: Record) -> None:
        (place / "gateway").unlink()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place / "gateway"))
        assert near_target(record, TOKEN.encode()).near
        assert await health(record) == 200

    at_gateway(place, work)


def test_a_path_that_is_too_long_is_said(place: Path) -> None:
    deep = place / ("d" * 100)
    deep.mkdir()

    async def run() -> None:
        tls, _ = make_certificate(place, SESSION)
        gateway = Gateway(Door(TOKEN, SESSION), lambda: None, tls)
        await gateway.start("127.0.0.1")
        with pytest.raises(OSError, match="too long"):
            gateway.open_near(deep / "gateway")
        await gateway.stop()
        assert list(deep.iterdir()) == []

    asyncio.run(run())


class _Host(Host):
    """It is starting."""

    signaling_path, children = "/", ()
    child: Any = None

    def __init__(self) -> None:
        self.env = {"HOME": "/nonexistent", "USER": "alice"}

    async def start(self) -> None: ...

    async def picture(self) -> str:
        return ""

    def target(self) -> None: ...


def test_a_session_without_room_for_it_has_its_port_alone(place: Path) -> None:
    deep = place / ("d" * 100)
    deep.mkdir()
    (place / "token").write_text(TOKEN)
    (place / "token").chmod(0o600)

    async def run(runtime: Path) -> Record:
        there = spec(SESSION).model_copy(update={"gateway_address": "127.0.0.1"})
        entrance = Entrance(there, _Host(), Screen(0, 0, b""), lambda: None)
        status = AgentStatus()
        await entrance.open(place, runtime, StatusFile(runtime / "status.json", status))
        try:
            assert status.gateway
            assert await health(status.gateway) == 200
            return status.gateway
        finally:
            await entrance.stop()

    assert asyncio.run(run(deep)).socket == ""
    assert asyncio.run(run(place)).socket == str(place / "gateway")


def test_it_ends_with_the_gateway(place: Path) -> None:
    async def run() -> None:
        tls, _ = make_certificate(place, SESSION)
        gateway = Gateway(Door(TOKEN, SESSION), lambda: None, tls)
        await gateway.start("127.0.0.1")
        gateway.open_near(place / "gateway")
        reader, writer = await asyncio.open_unix_connection(str(place / "gateway"))
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: p\r\n{BEARER}\r\n".encode())
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        await gateway.stop()
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()
        assert not (place / "gateway").exists()

    asyncio.run(run())
