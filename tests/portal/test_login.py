"""Who is let in, through nginx: by a token, by our cookie, and by nothing else."""

from __future__ import annotations

import datetime
import json
import socket
import time
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from .issuer import Key, said
from .place import Place

LOGIN, LOGOUT = "/api/moonlight/login", "/api/moonlight/logout"
SESSIONS, PAGE = "/api/moonlight/sessions", "/moonlight/"
COOKIE = "moonlight-login"


def _login(place: Place, client: httpx.Client, token: str) -> httpx.Response:
    answer = client.post(LOGIN, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    return answer


def _proof(client: httpx.Client) -> dict[str, str]:
    return {"X-XSRFToken": client.cookies["_xsrf"]}


def _value(answer: httpx.Response) -> str:
    cookies = [SimpleCookie(line) for line in answer.headers.get_list("set-cookie")]
    return next(cookie[COOKIE].value for cookie in cookies if COOKIE in cookie)


def test_a_token_is_exchanged_for_a_cookie_of_our_paths(place: Place) -> None:
    with place.client() as client:
        answer = _login(place, client, place.token(place.alice))
        assert answer.json()["user"] == str(place.alice) and answer.json()["admin"] is False
        morsels = [
            cookie[COOKIE]
            for line in answer.headers.get_list("set-cookie")
            if COOKIE in (cookie := SimpleCookie(line))
        ]
        assert {m["path"] for m in morsels} == {"/moonlight", "/api/moonlight"}
        for morsel in morsels:
            assert morsel["httponly"] and morsel["secure"] and morsel["samesite"] == "Lax"
            assert 500 < int(morsel["max-age"]) <= 600, "it lives longer than its token"
        assert answer.headers["cache-control"] == "no-store"
        assert client.get(SESSIONS).json() == {"sessions": []}
        page = client.get(PAGE)
        assert page.status_code == 200 and json.dumps(str(place.alice)) in page.text
        assert client.get("/api/moonlight/health").json()["user"] == str(place.alice)


def test_a_login_ends_with_its_token(place: Place) -> None:
    with place.client() as client:
        answer = _login(place, client, place.token(place.alice, exp=time.time() + 3))
        assert answer.json()["expires_at"].endswith("Z")
        kept = {"Cookie": f"{COOKIE}={_value(answer)}"}
        while time.time() < _ends(answer):
            time.sleep(0.2)
    with place.client() as client:
        again = client.get(SESSIONS, headers=kept)
        assert (again.status_code, again.json()["error"]["code"]) == (401, "token_refused")


def _ends(answer: httpx.Response) -> float:
    text = answer.json()["expires_at"].replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(text).timestamp() + 1


def test_after_logout_a_copy_of_the_cookie_counts_no_more(place: Place) -> None:
    with place.client() as client:
        kept = {"Cookie": f"{COOKIE}={_value(_login(place, client, place.token(place.alice)))}"}
        assert client.post(LOGOUT).status_code == 403, "another site's page could log users out"
        out = client.post(LOGOUT, headers=_proof(client))
        assert out.status_code == 204 and not client.cookies.get(COOKIE)
        assert client.get(SESSIONS).status_code == 403
    with place.client() as thief:
        assert thief.get(SESSIONS, headers=kept).json()["error"]["code"] == "token_refused"


def test_what_the_cookie_says_is_the_services_own(place: Place) -> None:
    with place.client() as client:
        value = _value(_login(place, client, place.token(place.alice)))
    assert str(place.alice) not in value
    swapped = value[:-6] + ("A" if value[-6] != "A" else "B") + value[-5:]
    plain = json.dumps({"user": str(place.bob), "admin": True, "until": 1e12, "id": "x"})
    for forged in (swapped, value[10:], plain.replace('"', "'").replace(" ", ""), "", "x" * 3000):
        with place.client() as thief:
            answer = thief.get(SESSIONS, headers={"Cookie": f"{COOKIE}={forged}"})
            assert answer.status_code in (401, 403), forged


def test_the_cookie_lasts_over_a_restart(place: Place) -> None:
    with place.client() as client:
        _login(place, client, place.token(place.alice))
        assert place.stop() == 0
        place.start()
        assert client.get(SESSIONS).status_code == 200


@pytest.mark.parametrize("path", [SESSIONS, LOGIN, LOGOUT])
def test_changes_with_a_cookie_need_the_pages_proof(place: Place, path: str) -> None:
    with place.client() as client:
        _login(place, client, place.token(place.alice))
        foreign = {"Origin": "https://evil.test"}
        for headers in ({}, foreign, {"X-XSRFToken": "x"}, _proof(client) | foreign):
            answer = client.post(path, headers=headers, json={})
            assert answer.status_code in (401, 403, 404), (headers, answer.text)
        text = {"Content-Type": "text/plain"}
        assert client.post(path, headers=text, content="{}").status_code in (401, 403)
        assert client.get(SESSIONS).json() == {"sessions": []}, "something was begun"


def test_the_login_takes_a_header_only(place: Place) -> None:
    """Else another site's page could log a user in as somebody else."""
    token = place.token(place.alice)
    with place.client() as client:
        for how in (
            {"params": {"token": token}},
            {"json": {"token": token}},
            {"headers": {"Cookie": f"portal_token={token}"}},
            {"headers": {"Authorization": f"token {token}"}},
            {"headers": {"Authorization": f"Basic {token}"}},
            {"headers": {"Authorization": token}},
        ):
            answer = client.post(LOGIN, **how)  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_refused")
            assert COOKIE not in answer.headers.get("set-cookie", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Username": "{user}"},
        {"X-Remote-User": "{user}", "Remote-User": "{user}", "X-Forwarded-User": "{user}"},
        {"X-User-ID": "1000", "X-Auth-Request-User": "{user}", "X-Forwarded-Email": "{user}"},
    ],
    ids=str,
)
def test_names_in_headers_count_for_nothing(place: Place, headers: dict[str, str]) -> None:
    told = {name: value.format(user=place.alice) for name, value in headers.items()}
    with place.client() as client:
        assert client.get(SESSIONS, headers=told).status_code == 403
    with place.client(place.token(place.bob)) as client:
        answer = client.get("/api/moonlight/health", headers=told)
        assert answer.json()["user"] == str(place.bob)


@pytest.mark.parametrize(
    "name", ["root", "daemon", "nobody", "no-such-user", "#0", "#1000", "../x", "a\0b", "-u", " "]
)
def test_only_users_are_let_in(place: Place, name: str) -> None:
    with place.client(place.token(name)) as client:
        for answer in (client.get(SESSIONS), client.post(LOGIN)):
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "token_refused")


def test_another_spelling_of_a_name_is_nobody(place: Place) -> None:
    for name in (str(place.alice).upper(), f" {place.alice}", f"{place.alice}\n"):
        with place.client(place.token(name)) as client:
            assert client.get(SESSIONS).status_code == 401


def test_a_bad_token_is_not_made_good_by_a_cookie(place: Place) -> None:
    with place.client() as client:
        _login(place, client, place.token(place.alice))
        for token in ("x", Key("one").token(str(place.alice)), place.token(place.alice, aud="b")):
            headers = {"Authorization": f"Bearer {token}"}
            assert client.get(SESSIONS, headers=headers).status_code == 401


def test_attacks_on_tokens_at_the_door(place: Place) -> None:
    """The rules are in test_tokens; here they are seen to hold where users come in."""
    key = place.issuer.keys[0]
    name = str(place.alice)
    none = jwt.encode(said(name), None, "none")
    confused = jwt.PyJWS().encode(b"{}", b"k" * 32, "HS256")
    tokens = [
        none,
        confused,
        place.token(name, exp=time.time() - 60),
        place.token(name, nbf=time.time() + 600),
        place.token(name, iss="x"),
        place.token(name, aud="x"),
        Key("unknown").token(name),
        jwt.encode(said(name), key.private, "RS512", {"kid": "one"}),
    ]
    with place.client() as client:
        for token in tokens:
            answer = client.get(SESSIONS, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, token
            assert token not in place.log.read_text()
    long = {"Authorization": f"Bearer {place.token(name, pad='x' * 7000)}"}
    with place.direct() as client:  # nginx takes none
        assert client.get(SESSIONS, headers=long).status_code == 401


def test_the_sites_own_cookie_is_a_login_that_needs_proof(place: Place) -> None:
    with place.client() as client:
        own = {"Cookie": f"portal_token={place.token(place.alice)}"}
        assert client.get(SESSIONS, headers=own).json() == {"sessions": []}
        assert client.post(SESSIONS, headers=own, json={}).status_code == 403


def test_who_changed_hands_at_the_portal_is_the_new_one(place: Place) -> None:
    """Our login of the one before is still in the browser."""
    with place.client() as client:
        value = _value(_login(place, client, place.token(place.alice)))
    with place.client() as client:
        both = {"Cookie": f"{COOKIE}={value}; portal_token={place.token(place.bob)}"}
        answer = client.get("/api/moonlight/health", headers=both)
        assert answer.json()["user"] == str(place.bob)
        both = {"Cookie": f"{COOKIE}={value}; portal_token=x"}
        assert client.get("/api/moonlight/health", headers=both).status_code == 401


def test_a_withdrawn_token_ends_the_login_made_with_it(place: Place) -> None:
    token = place.token(place.alice)
    with place.client() as client:
        _login(place, client, token)
        assert client.get(SESSIONS).status_code == 200
        place.issuer.withdrawn.add(token)
        assert client.get(SESSIONS).json()["error"]["code"] == "token_refused"
    with place.client(token) as client:
        assert client.get(SESSIONS).status_code == 401


def test_where_the_portals_login_is_away_nobody_is_let_in(place: Place) -> None:
    with place.client(place.token(place.alice)) as client:
        place.issuer.answer = 500, b""
        try:
            answer = client.get(SESSIONS)
        finally:
            place.issuer.answer = None
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "token_unclear")
        assert client.get(SESSIONS).status_code == 200


def _way_back(place: Place, answer: httpx.Response) -> str:
    assert answer.status_code == 302, answer.text
    there = urlsplit(answer.headers["location"])
    assert (there.scheme, there.netloc, there.path) == ("", "", "/portal-login")
    asked = parse_qs(there.query, strict_parsing=True)
    assert set(asked) == {"next"} and len(asked["next"]) == 1
    return asked["next"][0]


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/moonlight/", "/moonlight/"),
        ("/moonlight", "/moonlight/"),
        ("/moonlight/?lang=ko", "/moonlight/?lang=ko"),
        ("/moonlight/sessions/ml-alice-1a2b3c4d5e/", "/moonlight/sessions/ml-alice-1a2b3c4d5e/"),
        ("/moonlight/sessions/..%2f..%2f%2fevil.test/", "/moonlight/"),
        ("/moonlight/sessions/%2e%2e/", "/moonlight/"),
        ("/moonlight/sessions/a%5c@evil.test/", "/moonlight/"),
        ("/moonlight/sessions/a%0d%0aSet-Cookie:%20x=y/", "/moonlight/"),
        ("/moonlight/?next=https://evil.test/", "/moonlight/"),
        ("/moonlight/?x=%26next=//evil.test", "/moonlight/"),
    ],
)
@pytest.mark.parametrize(
    "headers", [{}, {"Host": "evil.test"}, {"X-Forwarded-Host": "evil.test"}], ids=str
)
def test_the_way_back_leads_nowhere_else(
    place: Place, path: str, back: str, headers: dict[str, str]
) -> None:
    with place.direct() as client:  # nginx answers some of these itself
        answer = client.get(path, headers=headers)
        found = _way_back(place, answer)
        assert found.startswith(place.origin + "/moonlight") and "evil" not in found
        assert found.rstrip("/") == (place.origin + back).rstrip("/")


def test_an_absolute_request_leads_nowhere_else(place: Place) -> None:
    """As a proxy is asked, straight to the service."""
    with socket.create_connection(("127.0.0.1", place.port)) as s:
        s.sendall(
            b"GET http://evil.test/moonlight/ HTTP/1.1\r\nHost: evil.test\r\n"
            b"Connection: close\r\n\r\n"
        )
        answer = b"".join(iter(lambda: s.recv(65536), b""))
    assert b"evil.test" not in answer


def test_whom_another_login_would_not_help_is_not_sent_round_in_circles(place: Place) -> None:
    cases: list[tuple[Any, int, str]] = [
        (place.token("no-such-user"), 403, "has no account"),
        (place.token(place.alice, aud="x"), 403, "another service"),
        ("<script>alert(1)</script>", 403, "JSON Web Token"),
    ]
    for token, status, words in cases:
        with place.client() as client:
            answer = client.get(PAGE, headers={"Cookie": f"portal_token={token}"})
            assert answer.status_code == status and words in answer.text, answer.text
            assert "<script" not in answer.text
    with place.client() as client:
        old = place.token(place.alice, exp=time.time() - 60)
        _way_back(place, client.get(PAGE, headers={"Cookie": f"portal_token={old}"}))
