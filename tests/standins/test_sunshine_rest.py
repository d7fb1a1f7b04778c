"""The REST API answers word for word as recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .sunshine_running import Sunshine, sunshine

_APPS = (
    '{"env":{"PATH":"$(PATH):$(HOME)/.local/bin"},"apps":[{"name":"Desktop"},{"name":"XTerm App",'
    '"cmd":"xterm -geometry 100x30+100+100","auto-detach":true,"wait-all":true,"exit-timeout":5}]}'
)
_REALM = 'WWW-Authenticate: Basic realm="Sunshine Gamestream Host", charset="UTF-8"\n'


def _recorded(status: str, body: str, extra: str = "") -> str:
    """The frame that all recorded answers of base+1 share."""
    return (
        f"HTTP/1.1 {status}\nContent-Security-Policy: frame-ancestors 'none';\n"
        f"X-Frame-Options: DENY\n{extra}Content-Type: application/json\n"
        f"Content-Length: {len(body)}\n\n{body}"
    )


def _error(text: str) -> str:
    return _recorded("400 Bad Request", f'{{"error":"{text}","status":false,"status_code":400}}')


_401 = _recorded(
    "401 Unauthorized", '{"error":"Unauthorized","status":false,"status_code":401}', _REALM
)
_FALSE = _recorded("200 OK", '{"status":false}')
_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_PIN = '{"pin":"1234","name":"x"}'
_ORIGIN = {**_JSON, "Origin": "https://portal.example.org"}

GETS = {
    "api-apps.txt": (
        "/api/apps",
        "admin:s3cret",
        _recorded(
            "200 OK",
            '{"apps":[{"name":"Desktop"},{"auto-detach":true,"cmd":"xterm -geometry '
            '100x30+100+100","exit-timeout":5,"name":"XTerm App","wait-all":true}],'
            '"env":{"PATH":"$(PATH):$(HOME)/.local/bin"}}',
        ),
    ),
    "api-badauth.txt": ("/api/clients/list", "admin:wrong", _401),
    "api-noauth.txt": ("/api/clients/list", None, _401),
    "api-clients-list-empty.txt": (
        "/api/clients/list",
        "admin:s3cret",
        _recorded("200 OK", '{"named_certs":[],"status":true}'),
    ),
    "api-configLocale-noauth.txt": (
        "/api/configLocale",
        None,
        _recorded("200 OK", '{"locale":"en","status":true}'),
    ),
    "api-notfound.txt": (
        "/api/nothing",
        "admin:s3cret",
        _recorded("404 Not Found", '{"error":"Not Found","status_code":404}'),
    ),
    "api-virtual-input-status.txt": (
        "/api/virtual-input/status",
        "admin:s3cret",
        _recorded(
            "200 OK",
            '{"vigembus":{"error":"ViGEmBus is only available on Windows","installed":false,'
            '"minimum_version":"1.17.0.0","supported_versions":">= 1.17.0.0","version":"",'
            '"version_compatible":false},"virtualhid":{"backend_name":"","error":"libvirtualhid '
            'driver status is only available on Windows","installed":false,"minimum_version":"",'
            '"requires_installed_driver":false,"supported_versions":"Any","version":"",'
            '"version_compatible":false}}',
        ),
    ),
}

PINS = {
    "pin-5digits.txt": (
        '{"pin":"12345","name":"x"}',
        "admin:s3cret",
        _JSON,
        _error("PIN must be between 0000 and 9999"),
    ),
    "pin-authuser-case.txt": (_PIN, "ADMIN:s3cret", _JSON, _FALSE),
    "pin-badjson.txt": (
        "{",
        "admin:s3cret",
        _JSON,
        _error(
            "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while "
            "parsing object key - unexpected end of input; expected string literal"
        ),
    ),
    "pin-foreign-origin.txt": (_PIN, "admin:s3cret", _ORIGIN, _error("Missing CSRF token")),
    "pin-formtype.txt": (_PIN, "admin:s3cret", _FORM, _error("Content type mismatch")),
    "pin-missing.txt": ('{"name":"x"}', "admin:s3cret", _JSON, _error("stoi")),
    "pin-noauth.txt": (_PIN, None, _JSON, _401),
    "pin-nocontenttype.txt": (_PIN, "admin:s3cret", {}, _error("Content type not provided")),
    "pin-noname.txt": ('{"pin":"1234"}', "admin:s3cret", _JSON, _FALSE),
    "pin-nonnumeric.txt": ('{"pin":"abcd","name":"x"}', "admin:s3cret", _JSON, _error("stoi")),
    "pin-nopending-int.txt": (
        '{"pin":1234,"name":"x"}',
        "admin:s3cret",
        _JSON,
        _error("[json.exception.type_error.302] type must be string, but is number"),
    ),
    "pin-nopending.txt": (_PIN, "admin:s3cret", _JSON, _FALSE),
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sunshine]:
    with sunshine(tmp_path_factory.mktemp("rest"), apps=_APPS) as run:
        yield run


@pytest.mark.parametrize("recording", GETS)
def test_get_as_recorded(host: Sunshine, recording: str) -> None:
    path, auth, expected = GETS[recording]
    assert host.get(path, auth=auth).text == expected


@pytest.mark.parametrize("recording", PINS)
def test_pin_as_recorded(host: Sunshine, recording: str) -> None:
    body, auth, headers, expected = PINS[recording]
    assert host.request("POST", "/api/pin", body, auth, headers).text == expected


def test_a_token_lets_a_foreign_origin_in(host: Sunshine) -> None:
    """api-csrf.txt, pin-foreign-origin-token.txt"""
    reply = host.get("/api/csrf-token")
    token = reply.json["csrf_token"]
    assert reply.text == _recorded("200 OK", f'{{"csrf_token":"{token}"}}')
    assert len(token) == 32
    headers = {**_ORIGIN, "X-CSRF-Token": token}
    assert host.request("POST", "/api/pin", _PIN, headers=headers).text == _FALSE
    headers["X-CSRF-Token"] = "x" * 32
    assert "Invalid CSRF token" in host.request("POST", "/api/pin", _PIN, headers=headers).text


def test_config_is_what_the_file_says(host: Sunshine) -> None:
    """api-config.txt: the values as texts, with platform, status and version."""
    given = dict(line.split(" = ", 1) for line in host.conf.read_text().splitlines())
    more = {"platform": "linux", "status": True, "version": "2026.817.185037"}
    assert host.get("/api/config").json == {**given, **more}


def test_serverinfo_as_recorded(host: Sunshine) -> None:
    """serverinfo-http.txt"""
    reply = host.request(
        "GET", "/serverinfo?uniqueid=0123456789ABCDEF", auth=None, port=host.base, secure=False
    )
    unique = reply.text.partition("<uniqueid>")[2][:36]
    body = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<root status_code="200"><hostname>ref-node-1</hostname><appversion>7.1.431.-1</appversion>'
        f"<GfeVersion>3.23.0.74</GfeVersion><uniqueid>{unique}</uniqueid>"
        f"<HttpsPort>{host.base - 5}</HttpsPort><ExternalPort>{host.base}</ExternalPort>"
        "<MaxLumaPixelsHEVC>0</MaxLumaPixelsHEVC><mac>00:00:00:00:00:00</mac>"
        "<LocalIP>127.0.0.1</LocalIP><ServerCodecModeSupport>262145</ServerCodecModeSupport>"
        "<PairStatus>0</PairStatus><currentgame>0</currentgame>"
        "<state>SUNSHINE_SERVER_FREE</state></root>"
    )
    assert reply.text == f"HTTP/1.1 200 OK\nContent-Length: 529\n\n{body}"


def test_the_root_of_the_http_port_as_recorded(host: Sunshine) -> None:
    """https-port-http-root.txt"""
    reply = host.request("GET", "/", auth=None, port=host.base, secure=False)
    body = '<?xml version="1.0" encoding="utf-8"?>\n<root status_code="404"/>'
    assert reply.text == f"HTTP/1.1 200 OK\nContent-Length: 64\n\n{body}"


def test_without_credentials_anyone_sets_them(tmp_path: Path) -> None:
    """sunshine.md: write them before the start."""
    with sunshine(tmp_path, credentials_file="") as host:
        assert host.get("/api/apps").status == 307
        tree = {"newUsername": "me", "newPassword": "p", "confirmNewPassword": "p"}
        assert host.post("/api/password", tree, auth=None).json == {"status": True}
        assert host.get("/api/apps", auth="me:p").status == 200
