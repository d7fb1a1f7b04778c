"""A small GameStream client: pair by PIN, ask, launch (pair-ok.txt shows every request).

Run it: ``python -m tests.standins.client pair|list|info HOST PORT [PIN]``, with the identity in
``$STANDIN_CLIENT_DIR`` (key.pem and cert.pem, made when missing).
"""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import ssl
import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .sunshine_standin.identity import CLIENT, generate

#: All Moonlight clients use this one.
UNIQUE_ID = "0123456789ABCDEF"
_SIGNATURE = 256  # bytes, of an RSA 2048 key: an EC host is taken for a man in the middle


class GameStreamError(Exception):
    """The host refused; ``status`` is the one in its answer."""

    def __init__(self, status: int, message: str):
        super().__init__(f"{status}: {message}")
        self.status = status


class PairingFailed(Exception):
    """In the words of Moonlight."""


@dataclass
class Identity:
    """A client's key and certificate, PEM."""

    key: str
    cert: str

    @classmethod
    def new(cls) -> Identity:
        return cls(*generate(CLIENT))

    @classmethod
    def stored(cls, folder: Path) -> Identity:
        if not (folder / "key.pem").exists():
            made = cls.new()
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "key.pem").write_text(made.key)
            (folder / "cert.pem").write_text(made.cert)
        return cls((folder / "key.pem").read_text(), (folder / "cert.pem").read_text())


@dataclass
class App:
    id: int
    title: str


@dataclass
class Session:
    """What a launch gave: where RTSP is, and the key."""

    url: str
    key: bytes


class Client:
    """One client and one host."""

    def __init__(
        self,
        host: str,
        port: int,
        identity: Identity,
        server_cert: str | None = None,
        unique_id: str = UNIQUE_ID,
        timeout: float = 30,
    ):
        self.host, self.port, self.identity = host, port, identity
        self.server_cert, self._unique, self._timeout = server_cert, unique_id, timeout
        self._https: int | None = None

    def serverinfo(self, secure: bool = False) -> dict[str, str]:
        root = self._get("serverinfo", secure=secure)
        return {child.tag: child.text or "" for child in root}

    def apps(self) -> list[App]:
        return [
            App(int(app.findtext("ID") or 0), app.findtext("AppTitle") or "")
            for app in self._get("applist", secure=True).iter("App")
        ]

    def launch(
        self,
        app: int,
        size: str = "1280x720",
        fps: int = 30,
        encrypted: bool = True,
        on_host: bool = False,
    ) -> Session:
        """``on_host``: sound is to be heard on the host too."""
        return self._start("launch", app, size, fps, encrypted, on_host)

    def resume(
        self,
        app: int,
        size: str = "1280x720",
        fps: int = 30,
        encrypted: bool = True,
        on_host: bool = False,
    ) -> Session:
        return self._start("resume", app, size, fps, encrypted, on_host)

    def cancel(self) -> None:
        self._get("cancel", secure=True)

    def pair(self, pin: str, name: str = "roth", waiting: Callable[[], None] | None = None) -> str:
        """Pair; ``waiting`` is called before the request that blocks until the PIN is given.

        Gives the host's certificate (PEM) and remembers it.

        Raises
        ------
        PairingFailed
        """
        salt = secrets.token_bytes(16)
        key = hashlib.sha256(salt + pin.encode()).digest()[:16]
        common = {"devicename": name, "updateState": "1"}
        if waiting:
            waiting()
        first = self._pair_step(
            **common,
            phrase="getservercert",
            salt=salt.hex(),
            clientcert=self.identity.cert.encode().hex(),
        )
        plain = bytes.fromhex(first.findtext("plaincert") or "")
        if not plain:
            raise PairingFailed("Server returned no certificate")
        server = x509.load_pem_x509_certificate(plain)
        own = x509.load_pem_x509_certificate(self.identity.cert.encode())
        private = serialization.load_pem_private_key(self.identity.key.encode(), None)
        assert isinstance(private, rsa.RSAPrivateKey)

        challenge = secrets.token_bytes(16)
        step = self._pair_step(**common, clientchallenge=_ecb(key, challenge, True).hex())
        answer = _ecb(key, bytes.fromhex(step.findtext("challengeresponse") or ""), False)
        expected, server_challenge = answer[:32], answer[32:48]
        secret = secrets.token_bytes(16)
        proof = hashlib.sha256(server_challenge + own.signature + secret).digest()
        step = self._pair_step(**common, serverchallengeresp=_ecb(key, proof, True).hex())
        given = bytes.fromhex(step.findtext("pairingsecret") or "")
        server_secret, signature = given[:16], given[16:]
        if len(signature) != _SIGNATURE or not _signed(server, server_secret, signature):
            raise PairingFailed("MITM attack detected")
        if hashlib.sha256(challenge + server.signature + server_secret).digest() != expected:
            raise PairingFailed("Incorrect PIN")
        signed = private.sign(secret, padding.PKCS1v15(), hashes.SHA256())
        step = self._pair_step(**common, clientpairingsecret=(secret + signed).hex())
        if step.findtext("paired") != "1":
            raise PairingFailed("Pairing failed")
        self.server_cert = plain.decode()
        step = self._get("pair", True, phrase="pairchallenge", **common)
        if step.findtext("paired") != "1":
            raise PairingFailed("Pairing failed")
        return self.server_cert

    def _pair_step(self, **query: str) -> ElementTree.Element:
        try:
            root = self._get("pair", False, **query)
        except (http.client.HTTPException, ConnectionError) as e:
            raise PairingFailed("Server returned nothing (no headers, no data)") from e
        except GameStreamError as e:
            raise PairingFailed(str(e)) from e
        if root.findtext("paired") != "1":
            raise PairingFailed("Pairing failed")
        return root

    def _start(
        self, what: str, app: int, size: str, fps: int, encrypted: bool, on_host: bool
    ) -> Session:
        key = secrets.token_bytes(16)
        query = {
            "appid": str(app),
            "mode": f"{size}x{fps}",
            "additionalStates": "1",
            "sops": "1",
            "rikey": key.hex(),
            "rikeyid": str(secrets.randbits(31)),
            "localAudioPlayMode": str(int(on_host)),
            "surroundAudioInfo": "196610",
        }
        if encrypted:
            query["corever"] = "1"
        root = self._get(what, secure=True, **query)
        return Session(root.findtext("sessionUrl0") or "", key)

    def _get(self, path: str, secure: bool = False, **query: str) -> ElementTree.Element:
        """One request on a connection of its own. The host's certificate must be the known one."""
        asked = {"uniqueid": self._unique, "uuid": str(uuid.uuid4()), **query}
        connection: http.client.HTTPConnection
        if secure:
            if self._https is None:
                self._https = int(self.serverinfo()["HttpsPort"])
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with tempfile.TemporaryDirectory() as folder:
                both = Path(folder, "client.pem")
                both.write_text(self.identity.key + self.identity.cert)
                context.load_cert_chain(both)
            connection = http.client.HTTPSConnection(
                self.host, self._https, timeout=self._timeout, context=context
            )
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self._timeout)
        try:
            connection.connect()
            if secure and self.server_cert and isinstance(connection.sock, ssl.SSLSocket):
                shown = connection.sock.getpeercert(True)
                if shown != ssl.PEM_cert_to_DER_cert(self.server_cert.strip()):
                    raise GameStreamError(0, "The host's certificate is not the known one.")
            connection.request("GET", f"/{path}?{urlencode(asked)}")
            body = connection.getresponse().read()
        finally:
            connection.close()
        root = ElementTree.fromstring(body)
        status = int(root.get("status_code", "0"))
        if status != 200:
            raise GameStreamError(status, root.get("status_message", ""))
        return root


def rtsp_port(session: Session) -> int:
    return urlsplit(session.url).port or 0


def _ecb(key: bytes, data: bytes, encrypt: bool) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.ECB())
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(data) + context.finalize()


def _signed(cert: x509.Certificate, data: bytes, signature: bytes) -> bool:
    key = cert.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def main(argv: list[str]) -> None:
    what, host, port, *more = argv
    folder = Path(os.environ.get("STANDIN_CLIENT_DIR", "standin-client"))
    client = Client(host, int(port), Identity.stored(folder), timeout=400)
    if what == "pair":
        pin = more[0] if more else f"{secrets.randbelow(10000):04d}"
        print(f"Please enter the following PIN on the target PC: {pin}", flush=True)
        (folder / "server.pem").write_text(client.pair(pin))
        print("Successfully paired")
    elif what == "list":
        for number, app in enumerate(client.apps(), 1):
            print(f"{number}. {app.title}")
    else:
        for name, text in client.serverinfo(secure=bool(more)).items():
            print(f"{name}: {text}")


if __name__ == "__main__":
    main(sys.argv[1:])
