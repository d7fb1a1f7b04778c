"""Which tokens count: by the site's algorithm, key and claims, whatever a token says of itself."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from moonlight_jupyter.portal.keys import IssuerKeys, usable
from moonlight_jupyter.portal.refusals import LoginOver, LoginRefused, LoginUnclear
from moonlight_jupyter.portal.revocation import Revocation
from moonlight_jupyter.portal.tokens import MOST_TOKEN_BYTES, Claims, Verifier
from moonlight_spawner.site.options import MoonlightSite

from .issuer import AUDIENCE, ISSUER, Issuer, Key, said

SECRET = b"0123456789abcdef0123456789abcdef-"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def key() -> Key:
    return Key("one")


def _site(**settings: Any) -> MoonlightSite:
    return MoonlightSite(portal_issuer=ISSUER, portal_audience=AUDIENCE, **settings)


def _by_file(path: Path, key: Key, **settings: Any) -> Verifier:
    file = path / "public.pem"
    file.write_bytes(key.pem)
    file.chmod(0o644)
    return Verifier(
        _site(portal_algorithm=key.algorithm, portal_public_key_file=str(file), **settings)
    )


def _by_secret(path: Path, secret: bytes = SECRET) -> Verifier:
    file = path / "secret"
    file.write_bytes(secret + b"\n")
    file.chmod(0o600)
    return Verifier(_site(portal_algorithm="HS256", portal_secret_file=str(file)))


def _claims(verifier: Verifier, token: str) -> Claims:
    return asyncio.run(verifier.claims(token))


def _forged(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """As an attacker makes one, whatever a library would refuse to make."""
    parts = [_part(json.dumps(one).encode()) for one in (header, claims)]
    signed = ".".join(parts).encode()
    signature = hmac.new(secret, signed, hashlib.sha256).digest() if secret is not None else b""
    return f"{signed.decode()}.{_part(signature)}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_each_kind_of_key_is_taken(tmp_path: Path, key: Key) -> None:
    curve = Key(None, "ES256")
    assert _claims(_by_file(tmp_path, key), key.token("alice")).user == "alice"
    assert _claims(_by_file(tmp_path, curve), curve.token("alice")).user == "alice"
    token = jwt.encode(said("alice"), SECRET, "HS256")
    assert _claims(_by_secret(tmp_path), token) == Claims("alice", False, said("")["exp"])


# Names of tests are the same in all processes that collect them, so no time of now is in one.
IN_2100 = 4102444800


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://auth.elsewhere.test"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "another-service"},
        {"aud": None},
        {"aud": {"moonlight": 1}},
        {"exp": None},
        {"exp": "never"},
        {"exp": float("inf")},
        {"nbf": IN_2100},
        {"iat": IN_2100},
        {"preferred_username": None},
        {"preferred_username": ""},
        {"preferred_username": ["alice"]},
        {"preferred_username": None, "sub": "alice", "username": "alice"},
    ],
    ids=str,
)
def test_what_a_token_has_to_say(tmp_path: Path, key: Key, claims: dict[str, Any]) -> None:
    with pytest.raises(LoginRefused) as refused:
        _claims(_by_file(tmp_path, key), key.token("alice", **claims))
    assert not refused.value.again, "a browser would be sent round in circles"


def test_an_expired_token_asks_for_another_login(tmp_path: Path, key: Key) -> None:
    with pytest.raises(LoginOver, match="expired"):
        _claims(_by_file(tmp_path, key), key.token("alice", exp=time.time() - 31))


def test_clocks_may_differ_as_much_as_the_site_says(tmp_path: Path, key: Key) -> None:
    now = time.time()
    token = key.token("alice", exp=now - 60, nbf=now + 60)
    assert _claims(_by_file(tmp_path, key, portal_clock_skew_seconds=120.0), token).user == "alice"
    with pytest.raises(LoginRefused):
        _claims(_by_file(tmp_path, key), token)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "HS384", "ES256", "", None])
def test_a_token_does_not_choose_its_algorithm(
    tmp_path: Path, key: Key, algorithm: str | None
) -> None:
    """Among them the public key as a secret: what everybody knows would sign for everybody."""
    verifier = _by_file(tmp_path, key)
    header = {"typ": "JWT", "kid": "one", "alg": algorithm}
    for secret in (None, b"", key.pem, key.pem.strip()):
        with pytest.raises(LoginRefused):
            _claims(verifier, _forged(header, said("alice"), secret))


def test_a_secret_takes_no_other_algorithm(tmp_path: Path, key: Key) -> None:
    verifier = _by_secret(tmp_path)
    strange = [
        key.token("alice"),
        jwt.encode(said("alice"), SECRET * 2, "HS512"),
        jwt.encode(said("alice"), SECRET.swapcase(), "HS256"),
        _forged({"alg": "none"}, said("alice"), None),
    ]
    for token in strange:
        with pytest.raises(LoginRefused):
            _claims(verifier, token)


def test_a_changed_token_does_not_count(tmp_path: Path, key: Key) -> None:
    verifier = _by_file(tmp_path, key)
    header, body, signature = key.token("alice").split(".")
    other = key.token("bob").split(".")[1]
    for token in (f"{header}.{other}.{signature}", f"{header}.{body}.", f"{header}.{body}"):
        with pytest.raises(LoginRefused):
            _claims(verifier, token)


def test_keys_that_a_token_brings_itself_count_for_nothing(tmp_path: Path, key: Key) -> None:
    own = Key("one")
    headers = {"kid": "one", "jwk": own.listed, "jku": "http://127.0.0.1:1/keys", "x5u": "x"}
    token = jwt.encode(said("root"), own.private, "RS256", headers)
    with pytest.raises(LoginRefused):
        _claims(_by_file(tmp_path, key), token)


def test_what_must_be_understood_and_is_not_is_refused(tmp_path: Path, key: Key) -> None:
    headers = {"crit": ["b65"], "b65": True}
    with pytest.raises(LoginRefused):
        _claims(_by_file(tmp_path, key), jwt.encode(said("alice"), key.private, "RS256", headers))


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é", "{}", "Bearer x", "x" * 100_000])
def test_what_is_no_token(tmp_path: Path, key: Key, token: str) -> None:
    with pytest.raises(LoginRefused):
        _claims(_by_file(tmp_path, key), token)


def test_a_long_token_is_not_looked_at(tmp_path: Path, key: Key) -> None:
    token = key.token("alice", groups=["g" * 20] * 500)
    assert len(token) > MOST_TOKEN_BYTES
    with pytest.raises(LoginRefused, match="longer"):
        _claims(_by_file(tmp_path, key), token)


@pytest.mark.parametrize(
    ("claims", "admin"),
    [
        ({"groups": ["users", "hpc-admins"]}, True),
        ({"groups": "users hpc-admins"}, True),
        ({"realm_access": {"roles": ["moonlight"]}}, True),
        ({"groups": ["hpc-admins-not"]}, False),
        ({"groups": {"hpc-admins": True}}, False),
        ({"groups": [["hpc-admins"]]}, False),
        ({"roles": ["hpc-admins"]}, False),
        ({}, False),
    ],
    ids=str,
)
def test_who_is_an_admin(tmp_path: Path, key: Key, claims: dict[str, Any], admin: bool) -> None:
    wanted = {"groups": ["hpc-admins"], "realm_access.roles": ["moonlight"]}
    verifier = _by_file(tmp_path, key, portal_admin_claims=wanted)
    assert _claims(verifier, key.token("alice", **claims)).admin is admin


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "none of the keys"),
        ({"portal_algorithm": "HS256", "portal_jwks_url": "https://a.test/"}, "portal_secret_file"),
        ({"portal_jwks_url": "https://a.test/", "portal_public_key_file": "/x"}, "set are"),
        ({"portal_public_key_file": "/no/such/file"}, "cannot be read"),
    ],
    ids=str,
)
def test_keys_are_told_apart_at_the_start(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Verifier(_site(**settings))


def test_a_weak_secret_or_one_that_others_can_read_is_none(tmp_path: Path, key: Key) -> None:
    with pytest.raises(ValueError, match="at least 32"):
        _by_secret(tmp_path, b"short")
    with pytest.raises(ValueError, match="PEM"):
        _by_secret(tmp_path, key.pem)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "secret").chmod(0o640)
    with pytest.raises(ValueError, match="0600"):
        Verifier(_site(portal_algorithm="HS256", portal_secret_file=str(tmp_path / "secret")))


@pytest.mark.parametrize("kind", ["secret", "public"])
def test_a_key_that_somebody_else_could_exchange_is_none(key: Key, kind: str) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:  # not below what is closed to others
        Path(name).chmod(0o755)
        place = Path(name) / "of-all"
        place.mkdir()
        place.chmod(0o777)
        with pytest.raises(ValueError, match="of-all"):
            _by_secret(place) if kind == "secret" else _by_file(place, key)
        place.chmod(0o755)
        assert _by_secret(place) if kind == "secret" else _by_file(place, key)


def test_a_key_of_another_kind_is_none(tmp_path: Path) -> None:
    curve = Key(None, "ES256")
    curve.algorithm = "RS256"
    with pytest.raises(ValueError, match="RS256 needs"):
        _by_file(tmp_path, curve)
    with pytest.raises(ValueError, match="2048"):
        _by_file(tmp_path, Key(None, bits=1024))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _listed(issuer: Issuer, clock: Clock, path: str = "/keys") -> Verifier:
    return Verifier(_site(), IssuerKeys(issuer.origin + path, "RS256", clock))


def test_a_rotated_key_is_found_and_a_withdrawn_one_forgotten(issuer: Issuer) -> None:
    clock, (old, new) = Clock(), (Key("one"), Key("two"))
    issuer.keys = [old]

    async def work() -> None:
        verifier = _listed(issuer, clock)
        assert (await verifier.claims(old.token("alice"))).user == "alice"
        issuer.keys = [old, new]
        clock.now += 11
        assert (await verifier.claims(new.token("bob"))).user == "bob"
        issuer.keys = [new]
        clock.now += 301
        with pytest.raises(LoginRefused):
            await verifier.claims(old.token("alice"))
        assert (await verifier.claims(new.token("bob"))).user == "bob"

    asyncio.run(work())
    assert len(issuer.asked) == 3


def test_unknown_names_of_keys_do_not_hammer_the_issuer(issuer: Issuer) -> None:
    clock = Clock()

    async def work() -> None:
        verifier = _listed(issuer, clock)
        good = issuer.token("alice")
        strangers = [
            jwt.encode(said("x"), issuer.keys[0].private, "RS256", {"kid": f"k{i}"})
            for i in range(50)
        ]
        answers = await asyncio.gather(
            *(verifier.claims(t) for t in (*strangers, good)), return_exceptions=True
        )
        assert isinstance(answers[-1], Claims)
        assert all(isinstance(a, LoginRefused) for a in answers[:-1])
        assert len(issuer.asked) == 1
        for stranger in strangers[:3]:  # one after the other as well
            with pytest.raises(LoginRefused):
                await verifier.claims(stranger)
        assert len(issuer.asked) == 1
        clock.now += 11
        await asyncio.gather(*(verifier.claims(t) for t in strangers), return_exceptions=True)
        assert len(issuer.asked) == 2

    asyncio.run(work())


def test_an_issuer_that_is_away_costs_nobody_his_login_for_an_hour(issuer: Issuer) -> None:
    clock = Clock()

    async def work() -> None:
        verifier = _listed(issuer, clock)
        await verifier.claims(issuer.token("alice"))
        issuer.answer = 500, b""
        clock.now += 3500
        await verifier.claims(issuer.token("alice"))
        clock.now += 200
        with pytest.raises(LoginUnclear):
            await verifier.claims(issuer.token("alice"))

    asyncio.run(work())


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"x" * 300_000),
        (200, b'{"keys": "all"}'),
        (200, b"[" * 50_000),
        (200, b"\xff"),
        (404, b"{}"),
        (302, b""),
    ],
    ids=["long", "no list", "deep", "no text", "404", "elsewhere"],
)
def test_a_list_that_is_none_gives_no_keys(issuer: Issuer, answer: tuple[int, bytes]) -> None:
    issuer.answer = answer
    with pytest.raises(LoginRefused):
        _claims(_listed(issuer, Clock()), issuer.token("alice"))
    assert issuer.asked == ["/keys"], "a redirect was followed"


def test_only_keys_for_signatures_of_the_algorithm_are_taken(key: Key) -> None:
    curve, weak = Key("curve", "ES256"), Key("weak", bits=1024)
    secret = {"kty": "oct", "k": _part(SECRET), "kid": "secret"}
    entries: list[Any] = [
        key.listed,
        curve.listed,
        weak.listed,
        secret,
        {**key.listed, "kid": "for encryption", "use": "enc"},
        {**key.listed, "kid": "other", "alg": "RS512"},
        {**Key("x").listed, "kid": "twice"},
        {**Key("y").listed, "kid": "twice"},
        "nothing",
        {},
    ]
    assert set(usable({"keys": entries}, "RS256")) == {"one"}


def test_a_token_without_a_name_of_its_key_needs_there_to_be_one(issuer: Issuer) -> None:
    token = jwt.encode(said("alice"), issuer.keys[0].private, "RS256")
    assert _claims(_listed(issuer, Clock()), token).user == "alice"
    issuer.keys.append(Key("two"))
    with pytest.raises(LoginRefused):
        _claims(_listed(issuer, Clock()), token)


def test_a_withdrawn_token_counts_no_more(issuer: Issuer) -> None:
    async def work() -> None:
        revocation = Revocation(issuer.origin + "/check", 0.0)
        await revocation.check("a")
        issuer.withdrawn.add("a")
        with pytest.raises(LoginOver, match="withdrawn"):
            await revocation.check("a")
        await revocation.check("b")
        for status in (500, 302, 429):
            issuer.answer = status, b""
            with pytest.raises(LoginRefused):
                await revocation.check("b")

    asyncio.run(work())


def test_an_answer_on_a_token_serves_for_a_time_and_for_all_who_wait(issuer: Issuer) -> None:
    async def work() -> None:
        revocation = Revocation(issuer.origin + "/check", 60.0)
        await asyncio.gather(*(revocation.check("a") for _ in range(20)))
        await revocation.check("a")
        assert issuer.asked == ["/check"]
        await revocation.check("b")
        assert len(issuer.asked) == 2

    asyncio.run(work())


def test_where_nobody_answers_no_token_counts(issuer: Issuer) -> None:
    url = issuer.origin + "/check"
    issuer.__exit__(None, None, None)
    with pytest.raises(LoginUnclear):
        asyncio.run(Revocation(url, 60.0).check("a"))
