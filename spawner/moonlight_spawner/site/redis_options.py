"""The settings of ``moonlight-hpc serve``'s Redis: where it is, and as whom it is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from traitlets import Float, List, TraitError, Unicode, validate
from traitlets.config import LoggingConfigurable


class RedisSettings(LoggingConfigurable):
    """A part of :class:`.options.MoonlightSite`."""

    portal_redis_url = Unicode(
        help="For the portal: its Redis, where several services find the same records: "
        "redis://HOST:PORT/DATABASE, rediss:// with TLS, or unix:///PATH?db=DATABASE; without user and "
        "password. Empty: none; each look asks the users' own sides.",
    ).tag(config=True)
    portal_redis_user = Unicode(
        help="For the portal: user of Redis's ACL; empty: the default user."
    ).tag(config=True)
    portal_redis_password_file = Unicode(
        help="For the portal: that user's password, in a file of its service alone; empty: none."
    ).tag(config=True)
    portal_redis_ca_file = Unicode(
        help="For the portal: certificates that Redis's own has to be signed by, PEM; empty: those of the "
        "system."
    ).tag(config=True)
    portal_redis_certificate_file = Unicode(
        help="For the portal: its service's certificate, PEM, where Redis asks its clients for one."
    ).tag(config=True)
    portal_redis_certificate_key_file = Unicode(
        help="For the portal: the key of that certificate, in a file of its service alone."
    ).tag(config=True)
    portal_redis_sentinels = List(
        Unicode(),
        help="For the portal: HOST:PORT of each Sentinel, which say where Redis is; `portal_redis_url` then "
        "says the rest, and its host is the name of the watched set: redis://mymaster/0.",
    ).tag(config=True)
    portal_redis_sentinel_password_file = Unicode(
        help="For the portal: password of the Sentinels, in a file of its service alone; empty: none."
    ).tag(config=True)
    portal_redis_prefix = Unicode(
        "moonlight:",
        help="For the portal: what all its keys in Redis begin with. No other key is read or written.",
    ).tag(config=True)
    portal_redis_seconds = Float(
        1.0,
        min=0.05,
        max=10,
        help="For the portal: how long Redis may take to be connected to, and for an answer.",
    ).tag(config=True)

    @validate("portal_redis_url")
    def _redis_url(self, proposal: Mapping[str, str]) -> str:
        if not (value := proposal["value"]):
            return value
        parts = urlsplit(value)
        # Not the value itself: there may be a password in it, and errors are logged.
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise TraitError(
                "portal_redis_url has a user or password in it, but it is shown in logs: they belong in "
                "portal_redis_user and portal_redis_password_file."
            )
        query = parse_qs(parts.query, keep_blank_values=True)
        if parts.scheme == "unix":
            right = parts.path.startswith("/") and not parts.netloc and set(query) <= {"db"}
            database = query.get("db", ["0"])[-1]
        else:
            right = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and not query
            database = parts.path.strip("/") or "0"
        try:
            right = right and parts.port != 0
        except ValueError:
            right = False
        if not right or parts.fragment or not re.fullmatch(r"[0-9]{1,4}", database, re.ASCII):
            raise TraitError(
                f"portal_redis_url is {value!r}, but must look like redis://127.0.0.1:6379/0, "
                "rediss://redis.site.org:6380/0 or unix:///run/redis/redis.sock?db=0."
            )
        return value

    @validate("portal_redis_sentinels")
    def _sentinels(self, proposal: Mapping[str, list[str]]) -> list[str]:
        for value in proposal["value"]:
            if not re.fullmatch(
                r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", value, re.ASCII
            ):
                raise TraitError(
                    f"portal_redis_sentinels has {value!r}, but must have HOST:PORT, as in "
                    "redis1.site.org:26379."
                )
        return proposal["value"]

    @validate("portal_redis_prefix")
    def _prefix(self, proposal: Mapping[str, str]) -> str:
        value = proposal["value"]
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*:", value, re.ASCII):
            raise TraitError(
                f"portal_redis_prefix is {value!r}, but must be a word and a colon, as in moonlight:."
            )
        return value
