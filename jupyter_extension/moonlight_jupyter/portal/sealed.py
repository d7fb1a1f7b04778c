"""What only a service of this portal can have written: sealed with its key, each kind for one purpose."""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from moonlight_spawner.site.service_files import service_keys


class Sealed:
    """Writes such words and reads them; every service with the same keys takes them.

    ``purpose``: what is sealed for another one cannot be read.
    """

    def __init__(self, key_file: Path, purpose: bytes):
        self._fernet = MultiFernet([_fernet(line, purpose) for line in service_keys(key_file)])

    def seal(self, said: Any) -> str:
        """A word of ``A-Za-z0-9_-`` and, at its end, ``=``."""
        return self._fernet.encrypt(zlib.compress(json.dumps(said).encode(), 9)).decode()

    def read(self, word: str) -> Any:
        """
        Raises
        ------
        ValueError
            It is of another key or purpose, or nobody's.
        """
        try:
            return json.loads(zlib.decompress(self._fernet.decrypt(word.encode())))
        except (InvalidToken, UnicodeEncodeError) as e:
            raise ValueError("sealed by nobody with this key") from e


def _fernet(key: bytes, purpose: bytes) -> Fernet:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose)
    return Fernet(base64.urlsafe_b64encode(kdf.derive(key)))
