"""The settings of ``moonlight-hpc serve``: who may come in, and where it listens."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from traitlets import Dict, Enum, Float, Int, List, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable

from .neighbours import neighbour


class PortalSettings(LoggingConfigurable):
    """A part of :class:`.options.MoonlightSite`."""

    portal_address = Unicode(
        "127.0.0.1", help="For the portal: address that its service listens on."
    ).tag(config=True)
    portal_port = Int(8004, min=1, max=65535, help="For the portal: port of its service.").tag(
        config=True
    )
    portal_signaling_port = Int(
        8005,
        min=0,
        max=65535,
        help="For the portal: port that takes the streams' signalling and nothing else; 0: none.",
    ).tag(config=True)
    portal_base_url = Unicode(
        "/",
        help="For the portal: path below which users see its service, with a slash at both ends.",
    ).tag(config=True)
    portal_url = Unicode(
        help="For the portal: scheme and host by which users know it, e.g. https://portal.site.org. It "
        "begins the way back from the login; empty: a way back is a path."
    ).tag(config=True)
    portal_callback_url = Unicode(
        help="For the portal: scheme and host by which compute nodes reach it, e.g. "
        "https://portal.site.org or http://10.0.0.5:8004. Sessions tell it there how they are; empty: "
        "they do not, and it asks."
    ).tag(config=True)
    portal_callback_ca_file = Unicode(
        help="For the portal: PEM certificates of whoever signed that of portal_callback_url, read by its "
        "service; empty: those that the nodes trust."
    ).tag(config=True)
    portal_login_url = Unicode(
        help="For the portal: where browsers without a login are sent, e.g. /login?next={next}: `{next}` "
        "becomes the way back. Empty: nowhere, they are told."
    ).tag(config=True)
    portal_login_hours = Float(
        12.0,
        min=0.01,
        help="For the portal: longest life of a login, and never longer than its token's.",
    ).tag(config=True)
    portal_stream_seconds = Float(
        30.0,
        min=0,
        max=3600,
        help="For the portal: how long running streams go on when its service ends; then they connect "
        "to the next one by themselves.",
    ).tag(config=True)
    portal_start_minutes = Float(
        15.0,
        min=0,
        max=1440,
        help="For the portal: how long a desktop may take to be ready once its job runs; then it is ended "
        "(StartTimeout). 0: as long as it likes.",
    ).tag(config=True)
    portal_key_file = Unicode(
        "/var/lib/moonlight-hpc/portal.key",
        help="For the portal: its service's own key, made where it is missing. The first line encrypts, "
        "all decrypt. Several services have the same one.",
    ).tag(config=True)
    portal_algorithm = Enum(
        ["HS256", "RS256", "ES256"],
        "RS256",
        help="For the portal: how tokens are signed. What a token says of it counts for nothing.",
    ).tag(config=True)
    portal_secret_file = Unicode(
        help="For the portal: secret of HS256, at least 32 bytes, readable by its service alone."
    ).tag(config=True)
    portal_public_key_file = Unicode(help="For the portal: public key of RS256 or ES256, PEM.").tag(
        config=True
    )
    portal_jwks_url = Unicode(
        help="For the portal: in place of a key file, the address of the issuer's public keys (JWKS)."
    ).tag(config=True)
    portal_issuer = Unicode(
        help="For the portal: the `iss` of its tokens; empty: not looked at."
    ).tag(config=True)
    portal_audience = Unicode(
        help="For the portal: the `aud` of its tokens; empty: tokens with an audience are refused."
    ).tag(config=True)
    portal_clock_skew_seconds = Float(
        30.0, min=0, max=300, help="For the portal: by how much clocks may differ."
    ).tag(config=True)
    portal_user_claim = Unicode(
        "preferred_username",
        help="For the portal: the claim that holds the name of the user's account; a.b is b in a.",
    ).tag(config=True)
    portal_admin_claims = Dict(
        value_trait=List(Unicode()),
        key_trait=Unicode(),
        help="For the portal: claims and those of their values that make an admin, e.g. "
        "{'groups': ['hpc-admins'], 'realm_access.roles': ['admin']}.",
    ).tag(config=True)
    portal_token_cookie = Unicode(
        help="For the portal: a cookie in which browsers bring the token themselves; empty: none does."
    ).tag(config=True)
    portal_min_uid = Int(
        1000, min=1, help="For the portal: lowest uid of a user; below are the system's accounts."
    ).tag(config=True)
    portal_revocation_url = Unicode(
        help="For the portal: asked with each token whether it still counts: 2xx is yes, all else no."
    ).tag(config=True)
    portal_revocation_seconds = Float(
        10.0, min=0, max=300, help="For the portal: how long such an answer serves."
    ).tag(config=True)

    portal_proxies = List(
        Unicode(),
        ["127.0.0.1", "::1"],
        help="For the portal: addresses of its proxies; what others say in X-Forwarded-For counts for "
        "nothing.",
    ).tag(config=True)
    portal_requests_per_minute = Int(
        600,
        min=0,
        help="For the portal: how often a user may call its API in a minute, a sixth of it at once; a "
        "stream counts once. 0: as often as he likes.",
    ).tag(config=True)
    portal_requests_open = Int(
        256,
        min=0,
        help="For the portal: how many requests of one user may be open at once, desktops' streams, event "
        "streams, uploads and downloads included. 0: any number.",
    ).tag(config=True)
    portal_launches_per_minute = Int(
        10,
        min=0,
        help="For the portal: how many sessions a user may launch in a minute. 0: any number.",
    ).tag(config=True)
    portal_failures_per_minute = Int(
        60,
        min=0,
        help="For the portal: how many tokens and logins that do not count are answered in a minute "
        "with why, for each address. 0: all.",
    ).tag(config=True)

    portal_neighbours = List(
        Dict(),
        help="For the portal: the site's other services, for `moonlight-hpc doctor --portal`: of each its "
        "`name`, and what it has of `address` (127.0.0.1), `port`, `url` (asked whether it answers), "
        "`directory`, `redis_prefix`, `image_prefix`, `displays` and `port_range`.",
    ).tag(config=True)

    @validate("portal_neighbours")
    def _neighbours(self, proposal: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
        for entry in proposal["value"]:
            try:
                neighbour(entry)
            except ValueError as e:
                raise TraitError(f"portal_neighbours: {e}.") from e
        return proposal["value"]

    portal_metrics_allow = List(
        Unicode(),
        default_value=["127.0.0.0/8", "::1/128"],
        help="For the portal: addresses and networks that may read /metrics at its service's own port, not "
        "through a proxy.",
    ).tag(config=True)
    portal_metrics_token_file = Unicode(
        help="For the portal: a token with which /metrics may be read from anywhere "
        "(Authorization: Bearer), readable by its service alone; empty: none."
    ).tag(config=True)
    portal_audit_file = Unicode(
        help="For the portal: file for the lines that tell who did what; empty: its service's log."
    ).tag(config=True)

    @validate("portal_metrics_allow")
    def _networks(self, proposal: Mapping[str, list[str]]) -> list[str]:
        for text in proposal["value"]:
            try:
                ipaddress.ip_network(text)
            except ValueError as e:
                raise TraitError(f"portal_metrics_allow has {text!r}: {e}.") from e
        return proposal["value"]

    @validate("portal_base_url")
    def _base_url(self, proposal: Mapping[str, str]) -> str:
        if not re.fullmatch(r"/([A-Za-z0-9_.~-]+/)*", proposal["value"]):
            raise TraitError(
                f"portal_base_url is {proposal['value']!r}, but must look like / or /desktops/."
            )
        return proposal["value"]

    @validate("portal_url", "portal_callback_url")
    def _origin(self, proposal: Mapping[str, str]) -> str:
        value, name = proposal["value"].rstrip("/"), proposal["trait"].name  # type: ignore[attr-defined]
        if value and not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+", value):
            raise TraitError(
                f"{name} is {value!r}, but must look like https://portal.site.org, without a path."
            )
        return value

    @validate("portal_login_url")
    def _login_url(self, proposal: Mapping[str, str]) -> str:
        value = proposal["value"]
        own = value.startswith("/") and not value.startswith("//")
        if value and not own and urlsplit(value).scheme not in ("http", "https"):
            raise TraitError(
                f"portal_login_url is {value!r}, but must be a path or an address of http or https."
            )
        return value

    @validate("portal_jwks_url", "portal_revocation_url")
    def _address(self, proposal: Mapping[str, str]) -> str:
        value, name = proposal["value"], proposal["trait"].name  # type: ignore[attr-defined]
        where = urlsplit(value)
        here = where.hostname in ("127.0.0.1", "::1", "localhost")
        if value and not (where.hostname and (where.scheme == "https" or here)):
            raise TraitError(
                f"{name} is {value!r}, but must be of https, or of http on this machine itself."
            )
        return value

    @validate("portal_token_cookie")
    def _cookie(self, proposal: Mapping[str, str]) -> str:
        value = proposal["value"]
        if value and (not re.fullmatch(r"[A-Za-z0-9_.-]+", value) or value == "moonlight-login"):
            raise TraitError(f"portal_token_cookie is {value!r}, but must be a cookie's name.")
        return value
