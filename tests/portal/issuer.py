"""A tiny portal: it signs tokens, lists its keys, withdraws tokens, and has a login page."""

from __future__ import annotations

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER, AUDIENCE = "https://auth.portal.test", "moonlight"


class Key:
    def __init__(self, name: str | None, algorithm: str = "RS256", bits: int = 2048):
        self.name, self.algorithm = name, algorithm
        self.private: Any = (
            rsa.generate_private_key(65537, bits)
            if algorithm == "RS256"
            else ec.generate_private_key(ec.SECP256R1())
        )

    @property
    def pem(self) -> bytes:
        found: bytes = self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return found

    @property
    def listed(self) -> dict[str, Any]:
        kinds = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm}
        entry: dict[str, Any] = kinds[self.algorithm].to_jwk(
            self.private.public_key(), as_dict=True
        )
        entry |= {"use": "sig", "alg": self.algorithm}
        return entry | ({"kid": self.name} if self.name else {})

    def token(self, user: str, **claims: Any) -> str:
        headers = {"typ": "JWT"} | ({"kid": self.name} if self.name else {})
        # Not jwt.encode(), which refuses to say what is no token.
        text = json.dumps(said(user, **claims)).encode()
        return jwt.PyJWS().encode(text, self.private, self.algorithm, headers)


def said(user: str, **claims: Any) -> dict[str, Any]:
    """The claims of an ordinary token; None takes one away."""
    now = int(time.time())
    usual = {
        "jti": secrets.token_hex(8),
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": now + 600,
        "iat": now,
    }
    return {
        name: value
        for name, value in {**usual, "preferred_username": user, **claims}.items()
        if value is not None
    }


class Issuer:
    """``keys`` are those that it lists; ``answer`` is in their place where it is set. ``asked``: paths
    that were asked for. Tokens in ``withdrawn`` count no more."""

    def __init__(self) -> None:
        self.keys = [Key("one")]
        self.answer: tuple[int, bytes] | None = None
        self.asked: list[str] = []
        self.withdrawn: set[str] = set()
        self.page = b""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                issuer.asked.append(path)
                status, body, kind = 200, b"", "application/json"
                if path == "/keys":
                    body = json.dumps({"keys": [key.listed for key in issuer.keys]}).encode()
                    status, body = issuer.answer or (status, body)
                elif path == "/check":
                    token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                    status = 401 if token in issuer.withdrawn else 204
                    status = issuer.answer[0] if issuer.answer else status
                elif path == "/elsewhere":
                    status = 302
                else:
                    body, kind = issuer.page, "text/html"
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status == 302:
                    self.send_header("Location", "/keys")
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Issuer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, user: str, **claims: Any) -> str:
        return self.keys[-1].token(user, **claims)
