"""Pairing by PIN (pair-ok.txt, pin-*.txt, sigterm-while-pairing.txt).

The key is the first half of SHA-256(salt + PIN); both sides prove with AES-ECB that they have it
and with their RSA keys that they own the certificates. Requests are kept by ``uniqueid``, which
all Moonlight clients share, so a second one takes over the first one's entry and both fail.
"""

from __future__ import annotations

import hashlib
import queue
import secrets
import threading
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from . import knobs
from .state import State

_PHASES = ["none", "getservercert", "clientchallenge", "serverchallengeresp"]


def xml(status: int, children: dict[str, object] | None = None, **attributes: str) -> str:
    """An answer as boost writes it: declaration, line end, everything else on one line."""
    words = "".join(f" {k}={quoteattr(v)}" for k, v in attributes.items())
    inner = "".join(f"<{k}>{escape(str(v))}</{k}>" for k, v in (children or {}).items())
    start = f'<?xml version="1.0" encoding="utf-8"?>\n<root status_code="{status}"{words}'
    return f"{start}>{inner}</root>" if children else f"{start}/>"


@dataclass
class _Session:
    cert: str
    salt: str = ""
    name: str = ""
    phase: int = 0
    key: bytes = b""
    secret: bytes = b""
    challenge: bytes = b""
    client_hash: bytes = b""
    answer: queue.Queue[str | None] | None = field(default=None)


class Pairing:
    """Every request of a client that wants to be paired."""

    def __init__(self, state: State, pkey: Path, cert: Path):
        self._state = state
        self._pem = cert.read_bytes()
        self._signature = x509.load_pem_x509_certificate(self._pem).signature
        self._key = serialization.load_pem_private_key(pkey.read_bytes(), None)
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.RLock()
        self.seen = 0  # requests so far: TERM may hang after the first

    def request(self, query: dict[str, str]) -> str | None:
        """The body to answer with; None when the request has waited too long."""
        unique = query.get("uniqueid")
        if unique is None:
            return xml(400, status_message="Missing uniqueid parameter")
        if query.get("phrase") == "getservercert":
            return self._wait(unique, query)
        if query.get("phrase") == "pairchallenge":
            return xml(200, {"paired": 1})
        with self._lock:
            session = self._sessions.get(unique)
            if session is None:
                return xml(400, status_message="Invalid uniqueid")
            if "clientchallenge" in query:
                return self._challenged(unique, session, bytes.fromhex(query["clientchallenge"]))
            if "serverchallengeresp" in query:
                given = bytes.fromhex(query["serverchallengeresp"])
                return self._responded(unique, session, given)
            if "clientpairingsecret" in query:
                given = bytes.fromhex(query["clientpairingsecret"])
                return self._finished(unique, session, given)
        return xml(404, status_message="Invalid pairing request")

    def pin(self, pin: str, name: str) -> bool:
        """POST /api/pin: to the first request there is. True says nothing about the PIN."""
        with self._lock:
            if not self._sessions:
                return False
            if len(pin) != 4 or not pin.isdigit():
                return False
            unique, session = next(iter(self._sessions.items()))
            body = self._server_cert(unique, session, pin)
            session.name = name
            waiting, session.answer = session.answer, None
            if waiting is None:
                return False
            waiting.put(body)
            return True

    def _wait(self, unique: str, query: dict[str, str]) -> str | None:
        with self._lock:
            self.seen += 1
            cert = bytes.fromhex(query["clientcert"]).decode("latin-1")
            session = self._sessions.setdefault(unique, _Session(cert))
            session.salt = query["salt"]
            if session.answer is not None:
                session.answer.put(None)
            mine: queue.Queue[str | None] = queue.Queue()
            session.answer = mine
        try:
            return mine.get(timeout=knobs.number("PAIR_SECONDS"))
        except queue.Empty:
            return None  # pin-pending-timeout.txt; the entry stays (pin-late-400s.txt)

    def _fail(self, unique: str, why: str) -> str:
        self._sessions.pop(unique, None)
        return xml(400, {"paired": 0}, status_message=why)

    def _step(self, unique: str, session: _Session, phase: int, name: str) -> str | None:
        if session.phase != phase - 1:
            return self._fail(unique, f"Out of order call to {name}")
        session.phase = phase
        return None

    def _server_cert(self, unique: str, session: _Session, pin: str) -> str:
        if failed := self._step(unique, session, 1, _PHASES[1]):
            return failed
        if len(session.salt) < 32:
            return self._fail(unique, "Salt too short")
        salted = bytes.fromhex(session.salt[:32]) + pin.encode()
        session.key = hashlib.sha256(salted).digest()[:16]
        return xml(200, {"paired": 1, "plaincert": self._pem.hex().upper()})

    def _challenged(self, unique: str, session: _Session, given: bytes) -> str:
        if failed := self._step(unique, session, 2, _PHASES[2]):
            return failed
        session.secret, session.challenge = secrets.token_bytes(16), secrets.token_bytes(16)
        plain = _ecb(session.key, given, encrypt=False) + self._signature + session.secret
        answer = hashlib.sha256(plain).digest() + session.challenge
        sealed = _ecb(session.key, answer, encrypt=True).hex().upper()
        return xml(200, {"paired": 1, "challengeresponse": sealed})

    def _responded(self, unique: str, session: _Session, given: bytes) -> str:
        if failed := self._step(unique, session, 3, _PHASES[3]):
            return failed
        session.client_hash = _ecb(session.key, given, encrypt=False)
        proof = (session.secret + self._sign(session.secret)).hex().upper()
        return xml(200, {"pairingsecret": proof, "paired": 1})

    def _finished(self, unique: str, session: _Session, given: bytes) -> str:
        if failed := self._step(unique, session, 4, "clientpairingsecret"):
            return failed
        if len(given) <= 16:
            return self._fail(unique, "Client pairing secret too short")
        try:
            cert = x509.load_pem_x509_certificate(session.cert.encode("latin-1"))
        except ValueError:
            return self._fail(unique, "Invalid client certificate")
        secret, signature = given[:16], given[16:]
        expected = hashlib.sha256(session.challenge + cert.signature + secret).digest()
        paired = expected == session.client_hash and _verified(cert, secret, signature)
        if paired:
            self._state.add(session.name, session.cert)
        self._sessions.pop(unique, None)
        return xml(200, {"paired": int(paired)})

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        # offline-credentials.txt: with an EC key the client finds a signature of another size.
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))


def _ecb(key: bytes, data: bytes, encrypt: bool) -> bytes:
    data = data[: len(data) // 16 * 16]
    cipher = Cipher(algorithms.AES(key), modes.ECB())
    context = cipher.encryptor() if encrypt else cipher.decryptor()
    return context.update(data) + context.finalize()


def _verified(cert: x509.Certificate, data: bytes, signature: bytes) -> bool:
    key = cert.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
