"""The session's TLS certificate: made on the node, known by the one who reads ``status.json``."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID


def make_certificate(
    directory: Path, name: str, hosts: Sequence[str] = ()
) -> tuple[ssl.SSLContext, str]:
    """A server context with a new key, and the certificate as PEM.

    The extension trusts this one certificate and no authority, so its names do not matter there; a
    portal's Apache compares them with the node's, whatever else it verifies (mod_ssl,
    SSLProxyCheckPeerName). The key file (0600) is removed again: only this process has the key.
    """
    secret, pem = self_signed(ec.generate_private_key(ec.SECP256R1()), name, 60, hosts)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    path = directory / "tls.pem"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(fd, "wb") as f:
            f.write((secret + pem).encode())
        context.load_cert_chain(path)
    finally:
        path.unlink()
    return context, pem


def self_signed(
    key: CertificateIssuerPrivateKeyTypes, name: str, days: int, hosts: Sequence[str] = ()
) -> tuple[str, str]:
    """The key and a certificate of it, both PEM, that whoever knows it may take as an authority."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    today = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))  # clocks of a cluster differ
        .not_valid_after(today + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    )
    if names := [_name(host) for host in hosts if host.isascii()]:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return secret.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return x509.DNSName(host)
