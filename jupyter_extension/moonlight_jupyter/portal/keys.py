"""The keys that tokens are verified with: one from a file, or the issuer's own list of them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.site.service_files import check_place, private_file

from .ask import Unanswered, ask
from .refusals import LoginRefused, LoginUnclear

log = logging.getLogger(__name__)

_LEAST_SECRET_BYTES = 32  # RFC 7518, 3.2
_MOST_FILE_BYTES = 65536
_MOST_LIST_BYTES = 256 * 1024
_MOST_KEYS = 64
# A list is asked for anew after a while, so that a key that was withdrawn stops counting; sooner
# where a token names a key that is not in it, which strangers can have as often as they like.
_FRESH_SECONDS = 300.0
_PAUSE_SECONDS = 10.0
# Where the issuer does not answer, the old keys count for so long.
_STALE_SECONDS = 3600.0


class Keys(Protocol):
    async def named(self, key_id: str | None) -> Any:
        """The key of a token that names it so.

        Raises
        ------
        LoginRefused
            There is none.
        """


def keys_of(site: MoonlightSite) -> Keys:
    """What the settings name.

    Raises
    ------
    ValueError
        They name nothing, too much, or what cannot be used.
    """
    named = {
        name: getattr(site, name)
        for name in ("portal_secret_file", "portal_public_key_file", "portal_jwks_url")
        if getattr(site, name)
    }
    algorithm = site.portal_algorithm
    right = (
        {"portal_secret_file"}
        if algorithm == "HS256"
        else {"portal_public_key_file", "portal_jwks_url"}
    )
    if len(named) != 1 or not set(named) <= right:
        raise ValueError(
            f"portal_algorithm is {algorithm}, which takes {' or '.join(sorted(right))}; set are "
            f"{', '.join(sorted(named)) or 'none of the keys'}."
        )
    if algorithm == "HS256":
        return OneKey(_secret(Path(site.portal_secret_file)))
    if site.portal_public_key_file:
        return OneKey(_public_key(Path(site.portal_public_key_file), algorithm))
    return IssuerKeys(site.portal_jwks_url, algorithm)


class OneKey:
    """The site's one key, whatever a token calls it."""

    def __init__(self, key: Any):
        self._key = key

    async def named(self, key_id: str | None) -> Any:
        return self._key


class IssuerKeys:
    """A JSON Web Key Set (RFC 7517) at an address.

    One request at a time, not more than one in ten seconds, bounded in time and size. ``clock`` is
    that of the monotonic time, in seconds.
    """

    def __init__(self, url: str, algorithm: str, clock: Any = time.monotonic):
        self._url = url
        self._algorithm = algorithm
        self._clock = clock
        self._keys: dict[str | None, Any] = {}
        self._found = -float("inf")
        self._asked = -float("inf")
        self._asking: asyncio.Task[None] | None = None

    async def named(self, key_id: str | None) -> Any:
        now = self._clock()
        known = self._find(key_id)
        if now - self._found > _FRESH_SECONDS or known is None:
            await self._refresh()
            known = self._find(key_id)
        if self._clock() - self._found > _STALE_SECONDS:
            raise LoginUnclear("The portal's keys cannot be asked for now. Try again in a moment.")
        if known is None:
            raise LoginRefused(
                "The token is signed with a key that the portal's login does not have."
            )
        return known

    def _find(self, key_id: str | None) -> Any:
        if key_id is None:  # with one key there is nothing to name
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    async def _refresh(self) -> None:
        if self._asking is None:
            if self._clock() - self._asked < _PAUSE_SECONDS:
                return
            self._asked = self._clock()
            self._asking = asyncio.ensure_future(self._ask())
            self._asking.add_done_callback(self._done)
        await asyncio.shield(self._asking)

    def _done(self, _: asyncio.Task[None]) -> None:
        self._asking = None

    async def _ask(self) -> None:
        try:
            status, body = await ask(self._url, {}, _MOST_LIST_BYTES)
            if status != 200:
                raise ValueError(f"the answer was {status}")
            keys = usable(json.loads(body), self._algorithm)
            if not keys:
                raise ValueError(f"it has no key for {self._algorithm}")
        except (Unanswered, ValueError, RecursionError) as e:
            log.error("the keys at %s cannot be had: %s", self._url, e)
            return
        self._keys, self._found = keys, self._clock()


def usable(listed: Any, algorithm: str) -> dict[str | None, Any]:
    """The keys of a set that verify ``algorithm``, by their names. Others are passed over, and those
    whose name two have."""
    found: dict[str | None, Any] = {}
    twice = set()
    entries = listed.get("keys") if isinstance(listed, Mapping) else None
    if not isinstance(entries, list):
        raise ValueError("it is no set of keys")
    for entry in entries[:_MOST_KEYS]:
        if not isinstance(entry, Mapping):
            continue
        name = entry.get("kid")
        if entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
            continue
        try:
            key = jwt.PyJWK(dict(entry), algorithm).key
            _check_kind(key, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as e:
            log.debug("passed over a key of the issuer: %s", e)
            continue
        if name in found:
            twice.add(name)
        found[name if isinstance(name, str) else None] = key
    return {name: key for name, key in found.items() if name not in twice}


def _check_kind(key: Any, algorithm: str) -> None:
    if algorithm == "RS256":
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
            raise ValueError("RS256 needs an RSA public key of at least 2048 bits")
    elif not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("ES256 needs a public key of the curve P-256")


def _secret(path: Path) -> bytes:
    secret = private_file(path).strip(b"\r\n")
    if len(secret) < _LEAST_SECRET_BYTES:
        raise ValueError(
            f"The secret in {path} has {len(secret)} bytes; HS256 needs at least "
            f"{_LEAST_SECRET_BYTES} (RFC 7518)."
        )
    if b"-----BEGIN" in secret:
        raise ValueError(f"{path} holds a key in PEM, which is no secret of HS256.")
    return secret


def _public_key(path: Path, algorithm: str) -> Any:
    try:
        info = path.stat()
        data = path.read_bytes()[:_MOST_FILE_BYTES]
    except OSError as e:
        raise ValueError(f"The public key {path} cannot be read: {e.strerror}.") from e
    if info.st_mode & 0o022 or info.st_uid not in (0, os.geteuid()):
        raise ValueError(f"Others may write to the public key {path}: chown root, chmod go-w.")
    check_place(path)
    try:
        key = load_pem_public_key(data)
        _check_kind(key, algorithm)
    except Exception as e:  # what cryptography raises is not one kind
        raise ValueError(f"{path} holds no public key for {algorithm}: {e}") from e
    return key
