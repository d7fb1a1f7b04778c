"""Which requests of moonlight-web's page pass, in both versions and with WebRTC or without."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from moonlight_spawner.agent.hosts.sunshine.web_client import WebClient

V2, V3 = "/api/host/stream", "/api/host/stream/web_socket"


def client(version: int, webrtc: bool = False) -> WebClient:
    """Only what the rule looks at: the files and the process are no part of it."""
    web = cast(Any, WebClient.__new__(WebClient))
    web._module_config = version == 2
    web._options = SimpleNamespace(webrtc=webrtc)
    return cast(WebClient, web)


@pytest.mark.parametrize(("version", "own", "other"), [(2, V2, V3), (3, V3, V2)])
def test_one_websocket_is_the_stream(version: int, own: str, other: str) -> None:
    web = client(version)
    assert web.refusal("GET", own, True) == ""
    for path in (other, "/", "/api/pair", own + "/", own.upper()):
        assert web.refusal("GET", path, True) == "not_for_pages"


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PATCH", "DELETE"])
def test_webrtc_is_negotiated_where_the_site_has_it(method: str) -> None:
    for path in ("/api/host/stream/webrtc", "/api/host/stream/webrtc/0a1b-22"):
        assert client(3, webrtc=True).refusal(method, path, False) == ""
        assert client(3).refusal(method, path, False) == "not_for_pages"
        assert client(2, webrtc=True).refusal(method, path, False) == "not_for_pages"
    long = "/api/host/stream/webrtc/../../../host"
    assert client(3, webrtc=True).refusal(method, long, False) == "not_for_pages"


@pytest.mark.parametrize("path", ["/", "/stream.html", "/api/hosts", "/api/user", "/x/y.js"])
def test_everything_may_be_read(path: str) -> None:
    for method in ("GET", "HEAD"):
        assert client(2).refusal(method, path, False) == ""
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "PROPFIND"):
        assert client(3, webrtc=True).refusal(method, path, False) == "not_for_pages"
