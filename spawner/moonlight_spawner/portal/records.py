"""The portal's records in Redis, as the settings say."""

from __future__ import annotations

from pathlib import Path

from ..site.options import MoonlightSite
from ..site.service_files import password, service_keys
from ..store.redis import RedisStore
from ..store.redis_client import RedisPlace

_DAY_SECONDS = 86400.0
# What ended long ago is forgotten together with the user's own record of it (:mod:`.rounds`); if he cannot
# be asked, Redis does it so much later.
_DAYS_MORE = 1.0


def redis_store(site: MoonlightSite) -> RedisStore:
    """
    Raises
    ------
    ValueError
        A file that the settings name cannot be used.
    """
    return RedisStore(
        redis_place(site),
        site.portal_redis_prefix,
        service_keys(Path(site.portal_key_file)),
        (site.retention_days + _DAYS_MORE) * _DAY_SECONDS,
    )


def redis_place(site: MoonlightSite) -> RedisPlace:
    """Where Redis is, with the passwords from their files.

    Raises
    ------
    ValueError
    """
    for name in ("ca", "certificate", "certificate_key"):
        path = getattr(site, f"portal_redis_{name}_file")
        if path and not Path(path).is_file():
            raise ValueError(f"There is no file {path}, which portal_redis_{name}_file names.")
    return RedisPlace(
        url=site.portal_redis_url,
        user=site.portal_redis_user,
        password=password(site.portal_redis_password_file),
        ca_file=site.portal_redis_ca_file,
        certificate_file=site.portal_redis_certificate_file,
        certificate_key_file=site.portal_redis_certificate_key_file,
        sentinels=tuple(site.portal_redis_sentinels),
        sentinel_password=password(site.portal_redis_sentinel_password_file),
        seconds=site.portal_redis_seconds,
    )
