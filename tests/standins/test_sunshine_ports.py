"""Ports: which are open, what a taken one leads to, where they are bound."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE, wait_for

from .client import Client
from .client_stream import Stream
from .sunshine_running import Sunshine, free_base, listening, sunshine, udp_ports

_QUICK = {"STANDIN_SUNSHINE_FORCE_SECONDS": "0.3"}
_BIND = (
    "bind: Address already in use [system:98 at /usr/include/boost/asio/detail/"
    "reactive_socket_service.hpp:161:5 in function 'boost::system::error_code boost::asio::detail"
    "::reactive_socket_service<Protocol>::bind(implementation_type&, const endpoint_type&, "
    "boost::system::error_code&)']"
)


@contextlib.contextmanager
def _taken(port: int, kind: int = socket.SOCK_STREAM) -> Iterator[None]:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", port))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        yield


def _said(base: int, name: str) -> str:
    if name == "web":
        return f"Fatal: Couldn't start Configuration HTTPS server on port [{base + 1}]: {_BIND}"
    if name == "rtsp":
        return f"Fatal: Couldn't bind RTSP server to port [{base + 21}], Address already in use"
    return f"Fatal: Couldn't start http server on ports [{base - 5}, {base - 5}]: {_BIND}"


def _wait_for(host: Sunshine, text: str) -> None:
    wait_for(lambda: host.log.exists() and text in host.log.read_text())
    time.sleep(0.3)


_OFFSETS = {"https": -5, "http": 0, "web": 1, "rtsp": 21}
#: port-taken.txt: what a half-dead process still listens on.
_LEFT = {"https": {0, 1}, "http": {1}, "web": {-5}, "rtsp": {-5, 0, 1}}


@pytest.mark.parametrize("name", ["https", "http", "web"])
def test_a_taken_port_may_end_it_with_0(tmp_path: Path, name: str) -> None:
    """port-taken.txt: exited rc=0"""
    base = free_base()
    environment = {"STANDIN_SUNSHINE_TAKEN": "exit"}
    with _taken(base + _OFFSETS[name]):
        with sunshine(tmp_path, base=base, start=False, environment=environment) as host:
            assert host.process.wait(PATIENCE) == 0
            assert _said(base, name) in host.log.read_text()


@pytest.mark.parametrize("name", list(_OFFSETS))
def test_a_taken_port_may_leave_it_half_dead(tmp_path: Path, name: str) -> None:
    """port-taken.txt: STILL RUNNING, API answers 200, after SIGTERM rc=-5"""
    base = free_base()
    environment = {"STANDIN_SUNSHINE_TAKEN": "half-dead", **_QUICK}
    with _taken(base + _OFFSETS[name]):
        with sunshine(tmp_path, base=base, start=False, environment=environment) as host:
            _wait_for(host, _said(base, name))
            assert host.process.poll() is None
            assert listening(host.process.pid) == {base + o for o in _LEFT[name]}
            if name != "web":
                assert host.get("/api/configLocale").status == 200
            assert host.term() == -5
            assert host.lines("Fatal: 10 seconds passed, yet Sunshine's still running: Forcing")


def test_idle_it_has_four_tcp_ports(tmp_path: Path) -> None:
    """ports-idle.txt"""
    with sunshine(tmp_path) as host:
        assert listening(host.process.pid) == {host.base + o for o in (-5, 0, 1, 21)}
        assert udp_ports(host.process.pid) == set()


def _paired(host: Sunshine) -> Client:
    client = host.client()
    host.pair(client)
    return client


@pytest.mark.parametrize("encrypted", [True, False])
def test_streaming_it_has_three_udp_ports(tmp_path: Path, encrypted: bool) -> None:
    """ports-streaming.txt"""
    with sunshine(tmp_path) as host:
        client = _paired(host)
        session = client.launch(client.apps()[0].id, encrypted=encrypted)
        scheme = "rtspenc" if encrypted else "rtsp"
        assert session.url == f"{scheme}://127.0.0.1:{host.base + 21}"
        stream = Stream(session)
        stream.start()
        assert stream.first.wait(PATIENCE)
        assert udp_ports(host.process.pid) == {host.base + o for o in (9, 10, 11)}
        assert host.lines("Info: New streaming session started [active sessions: 1]")
        client.cancel()
        assert stream.ended.wait(PATIENCE)
        assert udp_ports(host.process.pid) == set()


def test_a_taken_control_port_kills_it_at_stream_start(tmp_path: Path) -> None:
    """sunshine.md: SIGSEGV"""
    with sunshine(tmp_path) as host:
        client = _paired(host)
        session = client.launch(client.apps()[0].id)
        with _taken(host.base + 10, socket.SOCK_DGRAM):
            with pytest.raises(Exception, match="RTSP ANNOUNCE"):
                Stream(session).start()
            assert host.process.wait(PATIENCE) == -11


def test_mandatory_encryption_refuses_a_client_without(tmp_path: Path) -> None:
    with sunshine(tmp_path, lan_encryption_mode="2") as host:
        client = _paired(host)
        number = client.apps()[0].id
        with pytest.raises(Exception, match="403: Encryption is mandatory"):
            client.launch(number, encrypted=False)
        assert client.launch(number).url.startswith("rtspenc://")


def test_half_of_ipv6(tmp_path: Path) -> None:
    """bind-address.txt: an IPv4 address with address_family=both"""
    with sunshine(tmp_path, address_family="both", environment=_QUICK) as host:
        assert listening(host.process.pid) == {host.base + o for o in (-5, 0, 1)}
        said = f"Fatal: Couldn't bind RTSP server to port [{host.base + 21}], Invalid argument"
        assert host.lines(said)
        assert host.term() == -5


def test_both_families(tmp_path: Path) -> None:
    """bind-address.txt: address_family=both without an address"""
    with sunshine(tmp_path, address_family="both", bind_address="") as host:
        assert listening(host.process.pid) == {host.base + o for o in (-5, 0, 1, 21)}
        assert host.lines(f"Configuration UI available at [https://localhost:{host.base + 1}]")
        with socket.create_connection(("::1", host.base), PATIENCE):
            pass


def test_an_address_of_another_machine_ends_it_with_0(tmp_path: Path) -> None:
    """bind-address.txt: nosuch"""
    with sunshine(tmp_path, bind_address="192.0.2.77", start=False) as host:
        assert host.process.wait(PATIENCE) == 0
        assert host.lines("Couldn't bind RTSP server to port")
        assert host.lines("Cannot assign requested address")


def test_a_hostname_aborts(tmp_path: Path) -> None:
    """bind-address.txt: hostname"""
    with sunshine(tmp_path, bind_address="localhost", start=False) as host:
        assert host.process.wait(PATIENCE) == -6
        assert host.lines("Error: Invalid bind address: localhost - Invalid argument")


def test_who_may_use_the_web_ui(tmp_path: Path) -> None:
    """bind-address.txt: ``pc`` refuses the node's own address; 403 with an empty body."""
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout
    own = [a for a in found.split() if ":" not in a]
    with sunshine(tmp_path, bind_address="", origin_web_ui_allowed="pc") as host:
        assert host.get("/api/clients/list").status == 200
        url = f"https://{{}}:{host.base + 1}/api/clients/list"
        for address in own:
            status = subprocess.run(
                ["curl", "-ski", "-u", "admin:s3cret", url.format(address)],
                capture_output=True,
                check=True,
            ).stdout
            assert status == b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
            assert host.lines(f"Info: Web UI: [{address}] -- denied")


def test_the_tls_port_wants_a_certificate(tmp_path: Path) -> None:
    """serverinfo-https-nocert.txt"""
    with sunshine(tmp_path) as host:
        url = f"https://127.0.0.1:{host.base - 5}/serverinfo?uniqueid=0123456789ABCDEF"
        # TLS 1.3 tells a client only after its handshake: curl may see the alert when it reads
        # the answer (56, as recorded), or the closed connection when it writes its request (55).
        # s_client writes nothing, so it reads the alert every time.
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{host.base - 5}", "-quiet"],
            stdin=subprocess.PIPE,
            capture_output=True,
            text=True,
        )
        assert "alert certificate required" in done.stderr
        identity = host.client().identity
        both = tmp_path / "client.pem"
        both.write_text(identity.key + identity.cert)
        done = subprocess.run(["curl", "-ski", "-E", both, url], capture_output=True, text=True)
        assert done.stdout == (
            "HTTP/1.1 200 OK\nContent-Length: 153\n\n"
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<root status_code="401" query="" status_message="The client is not authorized. '
            'Certificate verification failed."/>'
        )


def test_neighbours_eight_ports_apart(tmp_path: Path) -> None:
    """many-instances-stride8.txt"""
    base = free_base()
    with contextlib.ExitStack() as stack:
        hosts = [
            stack.enter_context(sunshine(tmp_path / str(n), base=base + 8 * n, start=False))
            for n in range(3)
        ]
        for n, host in enumerate(hosts):
            host.ready()
            at = base + 8 * n
            assert listening(host.process.pid) == {at - 5, at, at + 1, at + 21}
        assert [host.term() for host in hosts] == [0, 0, 0]
