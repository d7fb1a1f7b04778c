"""The portal's Redis, asked as its service asks: with keys of ours alone, and never for a list of keys."""

from __future__ import annotations

import asyncio
import secrets
from importlib import import_module
from pathlib import Path
from typing import Any

from ..model.errors import StoreUnavailable
from ..site.options import MoonlightSite
from .finding import Finding

_ACL = "deploy/redis/moonlight.acl"
_KEPT_SECONDS = 10


async def redis(site: MoonlightSite) -> Finding:
    if not site.portal_redis_url:
        text = "not used: one service keeps what it knows to itself"
        return Finding("Redis", True, text)
    return await asyncio.to_thread(_look, site)


def _look(site: MoonlightSite) -> Finding:
    name, url = "Redis", site.portal_redis_url
    who = site.portal_redis_user or "default"
    try:
        # Not an import of this module: it is installed without a Redis client, too.
        ours, theirs = import_module("..store.redis_client", __package__), import_module("redis")
        place = ours.RedisPlace(url, who if site.portal_redis_user else "", **_told(site))
    except ModuleNotFoundError as e:
        fix = "pip install 'moonlight-hpc[portal]' into the service's environment."
        return Finding(name, False, f"{e.name} is not installed here", fix)
    except OSError as e:
        return Finding(
            name, False, f"{e.filename}: {e.strerror}", "Correct `portal_redis_password_file`."
        )
    asking, key = ours.Asking(place), f"{site.portal_redis_prefix}doctor:{secrets.token_hex(8)}"
    try:
        with asking.for_("a key of doctor's") as client:
            client.set(key, b"1", ex=_KEPT_SECONDS)
            client.get(key)
            client.delete(key)
            free = _reaches(client, f"doctor-of-{key}", theirs)
    except StoreUnavailable as e:
        fix = f"Is it up? Are its address, user and password those of the settings? {_ACL} has the user."
        return Finding(name, False, e.message, fix)
    finally:
        asking.close()
    text = f"{url} answers {who}, who may write {site.portal_redis_prefix}*"
    if free:
        fix = f"Give the service a user of its own: {_ACL}, docs/deployment.md."
        return Finding(name, True, f"{text}, and keys of others as well", fix, odd=True)
    return Finding(name, True, f"{text} and nothing else")


def _reaches(client: Any, key: str, redis: Any) -> bool:
    """Whether a key outside of ours could be read. Nobody has this one."""
    try:
        client.get(key)
    except redis.exceptions.NoPermissionError:
        return False
    return True


def _told(site: MoonlightSite) -> dict[str, Any]:
    """What else the settings say; passwords for root too, whose these files are not."""

    def line(path: str) -> str:
        return Path(path).read_text("utf-8").strip("\r\n") if path else ""

    return {
        "password": line(site.portal_redis_password_file),
        "ca_file": site.portal_redis_ca_file,
        "certificate_file": site.portal_redis_certificate_file,
        "certificate_key_file": site.portal_redis_certificate_key_file,
        "sentinels": tuple(site.portal_redis_sentinels),
        "sentinel_password": line(site.portal_redis_sentinel_password_file),
        "seconds": site.portal_redis_seconds,
    }
