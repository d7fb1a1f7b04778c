"""The shipped nginx configuration, in a portal's server that has more than ours."""

from __future__ import annotations

import re
import secrets

import httpx
import pytest

from .front import THE_SITES
from .place import Place

SESSIONS = "/api/moonlight/sessions"


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_our_paths_go_before_a_broader_one_and_before_regular_expressions(place: Place) -> None:
    with place.client() as client:
        for path in (SESSIONS, "/api/moonlight/events", "/api/moonlight/nothing.js"):
            assert _code(client.get(path)) == "forbidden", path
        assert _code(client.get("/moonlight/signaling?session=x")) == "forbidden"
        page = client.get("/moonlight/")
        assert page.status_code == 302 and "/portal-login?" in page.headers["location"]
        assert client.get("/moonlight").headers["location"].endswith("/moonlight/")


@pytest.mark.parametrize(
    "path", ["/", "/api/", "/api/jobs", "/api/moonlightx", "/moonlightx", "/metrics", "/app.js"]
)
def test_all_else_stays_the_sites_own(place: Place, path: str) -> None:
    with place.client(place.admin_token()) as client:
        answer = client.get(path)
        assert (answer.status_code, answer.text) == (200, THE_SITES.strip())


def test_what_the_server_block_adds_is_on_our_answers_too(place: Place) -> None:
    with place.client(place.token(place.alice)) as client:
        for path in (SESSIONS, "/moonlight/", "/api/moonlight/events/x", "/metrics"):
            assert "max-age=" in client.get(path).headers["strict-transport-security"], path


def test_who_asks_is_what_nginx_saw(place: Place) -> None:
    """tornado believes X-Real-Ip and X-Scheme before the two that everybody knows."""
    told = {"X-Real-Ip": "203.0.113.7", "X-Forwarded-For": "203.0.113.8", "X-Scheme": "http"}
    before = len(place.log.read_text())
    with place.client() as client:
        known = {
            **told,
            "X-Forwarded-Proto": "http",
            "Authorization": f"Bearer {place.admin_token()}",
        }
        answer = client.post("/api/moonlight/login", headers=known)
        assert answer.status_code == 200
        assert all("Secure" in line for line in answer.headers.get_list("set-cookie")[:2])
    assert place.audited(before, action="login", address="127.0.0.1")
    assert "203.0.113" not in place.log.read_text()[before:]


def test_a_login_with_a_long_token_gets_through(place: Place) -> None:
    """Its cookies hold the token: an answer's head of more than nginx takes by itself."""
    with place.client() as client:
        token = place.token(place.alice, pad=secrets.token_hex(1100))
        answer = client.post("/api/moonlight/login", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        assert sum(map(len, answer.headers.get_list("set-cookie"))) > 4096
        assert client.get(SESSIONS).status_code == 200


def test_bodies_are_the_services_to_refuse(place: Place) -> None:
    """In the API's words; and what goes to a desktop may be of any length."""
    long = b"x" * (5 << 20)
    with place.client(place.token(place.alice)) as client:
        answer = client.post(SESSIONS, content=long)
        assert answer.status_code == 413 and _code(answer) == "too_large"
        upload = "/moonlight/sessions/ml-x-0123456789/desktop/upload"
        # The service refuses it before all of it has come, of which nginx may make a 502.
        assert client.post(upload, content=long).status_code in (404, 502)


def test_the_pages_files_are_kept_by_nginx_and_by_the_browser(place: Place) -> None:
    with place.client(place.token(place.alice)) as client:
        page = client.get("/moonlight/").text
        (script,) = set(re.findall(r'src="(/moonlight/static/[^"]+\.js)"', page))
        first = client.get(script)
        assert "immutable" in first.headers["cache-control"]
        assert first.headers["content-encoding"] == "gzip"
    with place.client() as stranger:  # a refusal is never kept, nor is the page
        assert stranger.get("/moonlight/").status_code == 302
        assert stranger.get("/moonlight/static/none.js").status_code == 302
    with place.client(place.token(place.bob)) as client:
        assert client.get("/moonlight/static/none.js").status_code == 404
        assert str(place.bob) in client.get("/moonlight/").text
    kept = [path for path in (place.log.parent / "nginx/cache").rglob("*") if path.is_file()]
    keys = {re.search(rb"\nKEY: (.*)\n", path.read_bytes())[1].decode() for path in kept}  # type: ignore[index]
    assert f"http://moonlight_hpc{script}" in keys
    assert all("/moonlight/static/assets/" in key for key in keys), keys
