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

    @property
    def several(self) -> bool:
        """Whether something may have been sealed with an older key than the first."""
        return len(self._ciphers) > 1

    def seal(self, value: bytes, *place: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, value, _named(place))

    def open(self, sealed: bytes, *place: str) -> bytes | None:
        """The value; None if none of the keys has sealed it for this place."""
        return self._opened(sealed, place)[1]

    def renewed(self, sealed: bytes, *place: str) -> bytes | None:
        """The same, sealed with the first key; None if it is already, or is of none of the keys."""
        by, value = self._opened(sealed, place)
        return self.seal(value, *place) if value is not None and by > 0 else None

    def _opened(self, sealed: bytes, place: Sequence[str]) -> tuple[int, bytes | None]:
        """Which key has sealed it, and the value."""
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        for i, cipher in enumerate(self._ciphers):
            try:
                return i, cipher.decrypt(nonce, rest, _named(place))
            except (InvalidTag, ValueError):
                continue
        return -1, None


def _derived(key: bytes) -> bytes:
    """A key for records alone: what else is encrypted with the service's key is no record."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"moonlight-hpc records").derive(key)


def _named(place: Sequence[str]) -> bytes:
    return "\0".join(place).encode()
