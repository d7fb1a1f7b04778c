"""What the service offers: our handlers, each only to who is logged in, and nothing of Jupyter's."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import httpx
import pytest
from moonlight_jupyter.base import MoonlightAPIHandler
from moonlight_jupyter.json_errors import takes
from moonlight_jupyter.openapi import document
from moonlight_jupyter.portal import service
from moonlight_jupyter.portal.guests import PortalGuestSocket
from moonlight_jupyter.portal.login import LoginHandler, LogoutHandler
from moonlight_spawner.site.options import MoonlightSite
from openapi_spec_validator import validate

from tests.support.waiting import PATIENCE

from .place import Place

API_MD = Path(__file__).resolve().parents[2] / "docs/api.md"

JUPYTERS = [
    *("/", "/tree", "/lab", "/login", "/logout", "/favicon.ico", "/.git/config"),
    *("/api", "/api/", "/api/status", "/api/me", "/api/contents", "/api/contents/", "/api/kernels"),
    *("/api/kernelspecs", "/api/sessions", "/api/terminals", "/api/config/x", "/api/nbconvert"),
    *("/api/events/subscribe", "/api/shutdown", "/api/security/csp-report", "/api/spec.yaml"),
    *("/files/etc/passwd", "/view/x", "/edit/x", "/nbconvert/html/x", "/static/base/js/main.js"),
    *("/terminals/1", "/terminals/websocket/1", "/custom/x", "/kernelspecs/x", "/nbextensions/x"),
    *("/proxy/22/", "/moonlight-desktop/", "/moonlight/static/../../portal/service.py"),
    *("/api/moonlightx", "/moonlightx"),
]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def path_of(pattern: str) -> str:
    """A path that a handler's pattern takes."""
    path = pattern.replace(r"(?:/.*)?", "/none").replace("/?", "/").replace("(/.*)", "/x")
    path = path.replace("([0-9A-Fa-f-]{1,64})", "ab").replace("([^/]+)", "ml-a-0123456789")
    path = path.replace("([0-9a-f]{1,32})", "1f").replace("(news|api/websockets)", "news")
    path = path.replace("(.*)", "x").replace("(.+)", "x")
    assert re.fullmatch(pattern, path), (pattern, path)
    return path


def test_only_our_handlers_are_there() -> None:
    for pattern, handler, *_ in service.HANDLERS + service.SIGNALING:
        assert re.match("/(api/)?moonlight", pattern), pattern
        assert handler.__module__.startswith("moonlight_jupyter."), handler


def test_nothing_of_jupyters_is_there(place: Place) -> None:
    known = {"Authorization": f"Bearer {place.admin_token()}"}
    with place.direct() as client:
        for path in JUPYTERS:
            for method in METHODS:
                answer = client.request(method, path, headers=known)
                assert answer.status_code == 404, (method, path, answer.status_code)


def test_it_runs_on_uvloop_where_that_is_installed(place: Place) -> None:
    assert place.process
    assert "/uvloop/" in Path(f"/proc/{place.process.pid}/maps").read_text()


@pytest.mark.parametrize("handler", service.HANDLERS, ids=lambda h: str(h[0]))
def test_every_handler_asks_who_it_is(place: Place, handler: tuple[str, type]) -> None:
    path = path_of(handler[0])
    own = {LoginHandler: 401, LogoutHandler: 403}.get(handler[1])
    with place.client() as client:
        for method in METHODS:
            answer = client.request(method, path)
            if method == "OPTIONS" and answer.status_code in (200, 204):
                assert not answer.content, "what may be asked is said to all, and no more"
                assert "access-control-allow-origin" not in answer.headers
            elif path == "/moonlight/join/" and method == "GET":
                # A fragment would go with a redirection: the way to the login, and nothing else.
                assert answer.status_code == 200 and 'href="/portal-login?next=' in answer.text
                assert "moonlight-config" not in answer.text
            elif answer.status_code == 302:
                where = answer.headers["location"]
                assert where.startswith(("/portal-login?", "/moonlight/?"))
            else:
                told = handler[1] is PortalGuestSocket and answer.status_code == 426
                assert told or answer.status_code in (own, 401, 403, 404, 405), (method, path)
                assert "ml-a-" not in answer.text


def test_the_signalling_port_has_signalling_alone(place: Place) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{place.signaling}", timeout=PATIENCE) as client:
        client.headers["Authorization"] = f"Bearer {place.token(place.alice)}"
        unknown = client.get("/moonlight/signaling?session=ml-x-0123456789")
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown")
        for path in ("/moonlight/", "/api/moonlight/sessions", "/api/moonlight/login"):
            assert client.get(path).status_code == 404
        del client.headers["Authorization"]
        assert client.get("/moonlight/signaling?session=x").status_code == 403


def test_long_bodies_of_strangers_are_not_read(place: Place) -> None:
    with place.direct() as client:
        for path in ("/x", "/moonlight/", "/api/moonlight/login", "/api/moonlight/sessions"):
            answer = client.post(path, content=b"x" * (3 << 20))
            assert answer.status_code in (400, 401, 403, 404, 405, 413, 502), answer.status_code


def test_what_is_served_is_described_and_the_reverse() -> None:
    """Of what users and their programs call."""
    served = {
        (method, re.sub(r"\([^)]+\)", "{}", pattern)): set(handler.parameters.get(method, ()))
        for pattern, handler, *_ in service.HANDLERS
        if pattern.startswith("/api/moonlight/") and issubclass(handler, MoonlightAPIHandler)
        for method in takes(handler)
        if method != "OPTIONS"
    }
    described = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path)): {
            parameter["name"]
            for parameter in [*calls.get("parameters", []), *call.get("parameters", [])]
            if parameter["in"] == "query"
        }
        for path, calls in document("/", MoonlightSite(), portal=True)["paths"].items()
        for method, call in calls.items()
        if method != "parameters"
    }
    assert served == described


def test_the_portals_own_calls_are_described(place: Place) -> None:
    with place.client(place.token(place.alice)) as client:
        described = client.get("/api/moonlight/openapi.json").json()
    validate(described)
    ours, labs = set(described["paths"]), set(document("/", MoonlightSite())["paths"])
    assert ours - labs == {"/api/moonlight/login", "/api/moonlight/logout"}
    assert labs <= ours
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    text = API_MD.read_text("utf-8")
    written = re.search(r"\nIn a portal besides:.*?\n## ", text, re.DOTALL)
    assert written
    assert set(re.findall(r"`POST (\S+)`", written[0])) == ours - labs


def test_what_began_with_the_service_is_not_looked_through_for_garbage_again() -> None:
    """Of 10,000 sessions' records that took half a second, in which no stream went on."""
    before = gc.get_threshold()
    try:
        service._collect_rarely()
        assert gc.get_freeze_count() > 10_000
        assert all(now > then for now, then in zip(gc.get_threshold(), before, strict=True))
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
