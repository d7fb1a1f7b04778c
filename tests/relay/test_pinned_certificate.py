"""The portal's way to a gateway: the session's own certificate or nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from moonlight_spawner.agent.node.certificate import make_certificate
from moonlight_spawner.relay.upstream import Exchange, Target, UpstreamError, connect, fingerprint

from tests.support.waiting import PATIENCE

from .gateway_process import TOKEN, RunningGateway
from .wires import FakeHost

pytestmark = pytest.mark.usefixtures("each_loop")


def certificate(name: str = "ml-alice-abcdefghij") -> tuple[ssl.SSLContext, str]:
    with tempfile.TemporaryDirectory() as directory:
        return make_certificate(Path(directory), name)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(work(), PATIENCE)

    asyncio.run(limited())


class Impostor:
    """A TLS server on the gateway's port; whatever it is told by a client, it keeps."""

    def __init__(self, context: ssl.SSLContext | None):
        self.heard = b""
        self._context = context

    async def __aenter__(self) -> Impostor:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.heard += data
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")


def target(port: int, pem: str | None) -> Target:
    headers = [(b"authorization", b"Bearer " + TOKEN.encode())]
    return Target(addresses=("127.0.0.1",), port=port, certificate=pem, headers=headers)


def test_the_right_certificate_is_taken(gateway: RunningGateway, host: FakeHost) -> None:
    async def work() -> None:
        there = target(gateway.port, gateway.certificate)
        exchange = await Exchange.begin(there, b"GET", b"/x", there.headers)
        await exchange.finish()
        assert (await exchange.head()).status_code == 200
        assert b"".join([part async for part in exchange.body()]) == b"ok"
        exchange.close()

    run(work)
    assert host.lines == ["GET /x HTTP/1.1"]


@pytest.mark.parametrize("same_name", [True, False])
def test_a_man_in_the_middle_is_refused_and_hears_no_token(
    gateway: RunningGateway, same_name: bool
) -> None:
    async def work() -> None:
        context, _ = certificate("ml-alice-abcdefghij" if same_name else "evil")
        async with Impostor(context) as impostor:
            there = target(impostor.port, gateway.certificate)
            with pytest.raises(UpstreamError, match=f"127.0.0.1:{impostor.port}"):
                await Exchange.begin(there, b"GET", b"/", there.headers)
            await asyncio.sleep(0.1)
            assert impostor.heard == b""

    run(work)


def test_a_certificate_that_the_sessions_own_has_signed_is_refused() -> None:
    """The session's key signs itself only; but a chain that ends in it must not do either."""

    async def work() -> None:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            root_key = ec.generate_private_key(ec.SECP256R1())
            leaf_key = ec.generate_private_key(ec.SECP256R1())
            root = _sign("root", root_key, "root", root_key, authority=True)
            leaf = _sign("leaf", leaf_key, "root", root_key, authority=False)
            chain = directory / "chain.pem"
            secret = leaf_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            pem = root.public_bytes(serialization.Encoding.PEM)
            chain.write_bytes(secret + leaf.public_bytes(serialization.Encoding.PEM) + pem)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(chain)
        async with Impostor(context) as impostor:
            there = target(impostor.port, pem.decode())
            with pytest.raises(UpstreamError, match="another certificate"):
                await connect(there)
            await asyncio.sleep(0.1)
            assert impostor.heard == b""

    run(work)


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    authority: bool,
) -> x509.Certificate:
    def common(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, text)])

    today = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(common(name))
        .issuer_name(common(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


def test_without_tls_the_token_is_not_sent(gateway: RunningGateway) -> None:
    async def work() -> None:
        async with Impostor(None) as impostor:
            there = target(impostor.port, gateway.certificate)
            with pytest.raises(UpstreamError):
                await Exchange.begin(there, b"GET", b"/", there.headers)
            await asyncio.sleep(0.1)
            assert TOKEN.encode() not in impostor.heard

    run(work)


def test_of_several_addresses_the_first_that_answers_is_taken(gateway: RunningGateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    assert free != gateway.port

    async def work() -> None:
        there = Target(
            addresses=("no-such-host.invalid", "127.0.0.99", "127.0.0.1"),
            port=gateway.port,
            certificate=gateway.certificate,
        )
        wire = await connect(there)
        wire.close()

    run(work)


@pytest.mark.parametrize(
    "there, words",
    [
        (Target(addresses=("127.0.0.1",), port=1), ["127.0.0.1:1", "connection refused"]),
        (Target(addresses=("a.invalid", "b.invalid"), port=9), ["a.invalid/b.invalid:9"]),
        (Target(path="/nonexistent/x.sock"), ["/nonexistent/x.sock", "No such file"]),
        (Target(), ["no address"]),
        (Target(addresses=("x" * 70 + ".example",), port=9), ["x" * 70]),
    ],
    ids=["refused", "unknown", "path", "nothing", "label"],
)
def test_what_cannot_be_reached_is_named(there: Target, words: list[str]) -> None:
    async def work() -> None:
        with pytest.raises(UpstreamError) as caught:
            await connect(there)
        for word in words:
            assert word.lower() in str(caught.value).lower()

    run(work)


def test_a_host_that_says_nothing_is_named_with_what_happened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moonlight_spawner.relay.upstream.CONNECT_SECONDS", 0.2)

    async def work() -> None:
        _, pem = certificate()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            with pytest.raises(UpstreamError, match="no answer"):
                await connect(target(port, pem))

    run(work)


def test_a_certificate_names_its_node_for_portals_that_compare_names(tmp_path: Path) -> None:
    names = ["n1", "n1.example.org", "10.1.2.3", "fd00::1", "fe80::1%eth0", "노드"]
    _, pem = make_certificate(tmp_path, "ml-a", names)
    read = x509.load_pem_x509_certificate(pem.encode())
    found = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert found.get_values_for_type(x509.DNSName) == ["n1", "n1.example.org"]
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    assert addresses == ["10.1.2.3", "fd00::1", "fe80::1"]


def test_every_session_has_a_certificate_of_its_own_and_leaves_no_key(tmp_path: Path) -> None:
    prints = set()
    for _ in range(3):
        context, pem = make_certificate(tmp_path, "ml-" + "x" * 100)
        prints.add(fingerprint(pem))
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert "PRIVATE" not in pem
    assert len(prints) == 3
    assert list(tmp_path.iterdir()) == []
