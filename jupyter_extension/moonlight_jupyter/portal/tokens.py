"""The portal's token: verified, and read as the site says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from moonlight_spawner.model.errors import shorten
from moonlight_spawner.site.options import MoonlightSite

from .keys import Keys, keys_of
from .refusals import LoginOver, LoginRefused

#: The longest token that is looked at.
MOST_TOKEN_BYTES = 8192


@dataclass(frozen=True)
class Claims:
    """What a token says that counts. ``until``: seconds since 1970."""

    user: str
    admin: bool
    until: float


class Verifier:
    """Verifies tokens by the site's one algorithm and key."""

    def __init__(self, site: MoonlightSite, keys: Keys | None = None):
        self._site = site
        self._keys = keys or keys_of(site)

    async def claims(self, token: str) -> Claims:
        """What a token says, if it counts.

        Raises
        ------
        LoginRefused
        """
        if len(token) > MOST_TOKEN_BYTES or not token.isascii():
            raise LoginRefused(f"The token is no token, or longer than {MOST_TOKEN_BYTES} bytes.")
        key = await self._keys.named(self._key_id(token))
        try:
            said = self._decoded(token, key)
        except jwt.ExpiredSignatureError as e:
            raise LoginOver("The login is over: the token has expired. Log in again.") from e
        except Exception as e:  # a signed claim may be anything, such as a time of 1e999
            raise LoginRefused(f"The token is not taken: {_why(e)}.") from e
        return self._read(said)

    def _key_id(self, token: str) -> str | None:
        """The name of its key, of a token that is made as the site's are."""
        try:
            header = jwt.get_unverified_header(token)
        except Exception as e:
            raise LoginRefused("The token is not in the form of a JSON Web Token.") from e
        # PyJWT holds it against the list below once more; here no key is looked for in vain.
        if header.get("alg") != self._site.portal_algorithm:
            raise LoginRefused("The token is not signed as the portal's tokens are.")
        key_id = header.get("kid")
        if key_id is not None and not (isinstance(key_id, str) and len(key_id) <= 256):
            raise LoginRefused("The token names its key in no way that is known.")
        return key_id

    def _decoded(self, token: str, key: Any) -> Mapping[str, Any]:
        site = self._site
        said: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[site.portal_algorithm],
            issuer=site.portal_issuer or None,
            audience=site.portal_audience or None,
            leeway=site.portal_clock_skew_seconds,
            options={
                "require": ["exp"]
                + (["iss"] if site.portal_issuer else [])
                + (["aud"] if site.portal_audience else []),
            },
        )
        return said

    def _read(self, said: Mapping[str, Any]) -> Claims:
        name = self._site.portal_user_claim
        user = _claim(said, name)
        if not isinstance(user, str) or not user:
            raise LoginRefused(f"The token does not say who you are: it has no {name}.")
        admin = any(
            not wanted.isdisjoint(_values(_claim(said, claim)))
            for claim, wanted in ((c, set(v)) for c, v in self._site.portal_admin_claims.items())
        )
        return Claims(user, admin, float(said["exp"]))


def _claim(said: Mapping[str, Any], name: str) -> Any:
    """The claim of that name, or the one that its parts lead to: ``realm_access.roles``."""
    if name in said:
        return said[name]
    found: Any = said
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _values(claim: Any) -> set[str]:
    """A list, or words as in ``scope`` (RFC 8693, 4.2)."""
    if isinstance(claim, str):
        return set(claim.split())
    return (
        {value for value in claim if isinstance(value, str)} if isinstance(claim, list) else set()
    )


def _why(error: Exception) -> str:
    kinds = {
        jwt.InvalidIssuerError: "it is of another issuer",
        jwt.InvalidAudienceError: "it is meant for another service",
        jwt.ImmatureSignatureError: "it does not count yet",
        jwt.InvalidSignatureError: "its signature is wrong",
        jwt.InvalidAlgorithmError: "it is signed in another way",
    }
    for kind, words in kinds.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it has no {error.claim}"
    return (
        shorten(str(error), 80).rstrip(".")
        if isinstance(error, jwt.PyJWTError)
        else "it is damaged"
    )
