"""The pinned files: from a directory or by HTTPS, and never without their checksum."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moonlight_spawner.image_build.downloads import provide
from moonlight_spawner.image_build.failures import BuildFailed, NotReady
from moonlight_spawner.image_build.recipe import Download, read_pins

from .conftest import DEFINITIONS, Builder

CONTENT = b"a package" * 1000


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/plain":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:9/file")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:100] if self.path == "/cut" else CONTENT)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def pin() -> Download:
    return Download("x", "1", "", hashlib.sha256(CONTENT).hexdigest(), "x_1.deb", ())


def test_a_file_is_fetched_once_and_kept(https: str, pin: Download, tmp_path: Path) -> None:
    said: list[str] = []
    one = replace(pin, url=f"{https}/file")
    path = provide(one, tmp_path, None, said.append)
    assert path.read_bytes() == CONTENT
    assert provide(one, tmp_path, None, said.append) == path
    assert said == [f"      fetching {https}/file"]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("/missing", "cannot be fetched: Not Found.*--offline"),
        ("/cut", "is not the pinned file"),
        ("/plain", "which is not HTTPS"),
    ],
)
def test_a_file_that_cannot_be_had_whole_and_safely_is_not_kept(
    https: str, pin: Download, tmp_path: Path, place: str, why: str
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    with pytest.raises(BuildFailed, match=why):
        provide(replace(pin, url=https + place), kept, None, print)
    assert list(kept.iterdir()) == []


def test_a_file_with_another_checksum_is_thrown_away(
    https: str, pin: Download, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    wrong = replace(pin, url=f"{https}/file", sha256="0" * 64)
    with pytest.raises(BuildFailed, match=f"is {pin.sha256}, but must be {'0' * 64}"):
        provide(wrong, kept, None, print)
    assert list(kept.iterdir()) == []


def test_a_kept_file_that_was_spoiled_is_fetched_again(
    https: str, pin: Download, tmp_path: Path
) -> None:
    (tmp_path / pin.file).write_bytes(b"spoiled")
    assert provide(replace(pin, url=f"{https}/file"), tmp_path, None, print).read_bytes() == CONTENT


def test_an_unknown_certificate_is_refused(
    https: str, pin: Download, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(BuildFailed, match="CERTIFICATE_VERIFY_FAILED"):
        provide(replace(pin, url=f"{https}/file"), tmp_path, None, print)


def test_offline_lists_everything_that_is_missing_with_address_and_checksum(
    builder: Builder,
) -> None:
    pins = json.loads((builder.home / "image_defs" / "pins.json").read_text())
    for path in builder.offline.iterdir():
        path.unlink()
    with pytest.raises(NotReady) as told:
        builder.build("desktop")
    ours = [one for one in pins["downloads"] if "ubuntu-24.04" in one["for"]]
    assert len(ours) == 3
    for one in ours:
        for word in (one["file"], one["url"], one["sha256"]):
            assert word in str(told.value)
    assert "apptainer pull ubuntu-24.04.sif docker://ubuntu:24.04" in str(told.value)
    assert builder.did() == []


def test_offline_refuses_a_file_with_another_checksum(builder: Builder) -> None:
    (builder.offline / "virtualgl_3.1.4_amd64.deb").write_bytes(b"something else")
    with pytest.raises(NotReady, match=r"virtualgl_3.1.4_amd64.deb is not the pinned file"):
        builder.build("desktop")


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("sha256", "", "has no SHA-256"),
        ("sha256", "c38e", "has no SHA-256"),
        ("url", "http://example.org/x.deb", "not fetched by HTTPS"),
        ("file", "../x.deb", "not a plain name"),
    ],
)
def test_a_pin_without_checksum_or_https_is_refused(
    tmp_path: Path, key: str, value: str, why: str
) -> None:
    pins = json.loads((DEFINITIONS / "pins.json").read_text())
    pins["downloads"][0][key] = value
    (tmp_path / "pins.json").write_text(json.dumps(pins))
    with pytest.raises(ValueError, match=why):
        read_pins(tmp_path / "pins.json")


def test_a_digest_takes_the_place_of_the_tag(tmp_path: Path) -> None:
    pins = json.loads((DEFINITIONS / "pins.json").read_text())
    assert read_pins(DEFINITIONS / "pins.json").base.reference == "ubuntu:24.04"
    pins["base"]["digest"] = "sha256:" + "a" * 64
    (tmp_path / "pins.json").write_text(json.dumps(pins))
    base = read_pins(tmp_path / "pins.json").base
    assert base.reference == "ubuntu@sha256:" + "a" * 64
