"""What is secret in a store that others may read: encrypted with the service's key, for one place."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class Sealing:
    """``keys``: the first encrypts, all decrypt. ``place`` says what a value is and whose: it cannot be
    read as anything else, should somebody move it there."""

    def __init__(self, keys: Sequence[bytes]):
        self._ciphers = [AESGCM(_derived(key)) for key in keys]

    def seal(self, value: bytes, *place: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, value, _named(place))

    def open(self, sealed: bytes, *place: str) -> bytes | None:
        """The value; None if none of the keys has sealed it for this place."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, rest, _named(place))
            except (InvalidTag, ValueError):
                continue
        return None


def _derived(key: bytes) -> bytes:
    """A key for records alone: what else is encrypted with the service's key is no record."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"moonlight-hpc records").derive(key)


def _named(place: Sequence[str]) -> bytes:
    return "\0".join(place).encode()
