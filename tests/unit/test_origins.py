"""Whose page sent a request: scheme, host and port, behind proxies that say much or nothing."""

from __future__ import annotations

import pytest
from moonlight_spawner.relay.origin import comes_by_https, is_own


@pytest.mark.parametrize(
    ("origin", "host", "secure", "own"),
    [
        ("https://hub.example", "hub.example", True, True),
        ("https://hub.example", "hub.example:443", True, True),
        ("https://hub.example:443", "hub.example", True, True),
        ("https://HUB.example", "hub.EXAMPLE", True, True),
        ("https://hub.example:8443", "hub.example:8443", True, True),
        ("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", True, True),
        ("http://hub.example", "hub.example", None, True),
        ("http://hub.example:8888", "hub.example:8888", None, True),
        # TLS ends before us and nobody says so: the page says https, the Host has no port.
        ("https://hub.example", "hub.example", None, True),
        # A page without TLS may be anybody's who sits on the way.
        ("http://hub.example", "hub.example", True, False),
        ("http://hub.example:443", "hub.example:443", True, False),
        ("https://hub.example", "hub.example:8443", True, False),
        ("https://hub.example:8443", "hub.example", True, False),
        ("http://hub.example", "hub.example:443", None, False),
        ("https://hub.example:80", "hub.example", None, False),
        ("https://evil.example", "hub.example", True, False),
        ("https://hub.example.evil.example", "hub.example", True, False),
        ("https://hub.example@evil.example", "hub.example", True, False),
        ("https://evil@hub.example", "hub.example", True, False),
        ("ftp://hub.example", "hub.example", None, False),
        ("file://", "hub.example", None, False),
        ("null", "hub.example", None, False),
        ("null", "", None, False),
        ("", "", None, False),
        ("https://", "", None, False),
        ("https://[", "hub.example", True, False),
        ("https://hub.example:x", "hub.example", True, False),
        ("https://hub.example", "hub.example:x", True, False),
        ("https://hub.example/", "hub.example", True, False),
    ],
)
def test_a_page_is_ours_by_scheme_host_and_port(
    origin: str, host: str, secure: bool | None, own: bool
) -> None:
    assert is_own(origin, [host], secure) is own
    assert is_own(origin, ["other.example", host], secure) is own
    assert is_own(origin, [], secure) is False


@pytest.mark.parametrize(
    ("headers", "tls", "https"),
    [
        ([], True, True),
        ([], False, None),
        ([(b"x-forwarded-proto", b"https")], False, True),
        ([(b"x-forwarded-proto", b"https,http")], False, True),
        ([(b"x-forwarded-proto", b"HTTPS, http")], False, True),
        ([(b"x-scheme", b"https"), (b"x-forwarded-proto", b"http")], False, True),
        # configurable-http-proxy behind an nginx that ends TLS and says nothing of it
        ([(b"x-forwarded-proto", b"http")], False, None),
        ([(b"x-forwarded-proto", b"http,https")], False, None),
        ([(b"x-forwarded-proto", b"http")], True, True),
    ],
)
def test_whether_browsers_come_by_https(
    headers: list[tuple[bytes, bytes]], tls: bool, https: bool | None
) -> None:
    assert comes_by_https(headers, tls) is https
