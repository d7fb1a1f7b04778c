"""Settings of the portal's Redis: what cannot be an address is told, and no password is shown."""

from __future__ import annotations

import pytest
from moonlight_spawner.site.options import MoonlightSite
from traitlets import TraitError


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://127.0.0.1",
        "redis://redis.site.org:6380/3",
        "rediss://[::1]:6379/0",
        "unix:///run/redis/redis.sock",
        "unix:///run/redis/redis.sock?db=2",
    ],
)
def test_an_address(url: str) -> None:
    assert MoonlightSite(portal_redis_url=url).portal_redis_url == url


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:6379",
        "http://127.0.0.1",
        "redis://",
        "redis:///0",
        "redis://host:0",
        "redis://host:99999",
        "redis://host/db",
        "redis://host/0?password=x",
        "redis://host/0#x",
        "unix://run/redis.sock",
        "unix:///run/redis.sock?password=x",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(TraitError, match="portal_redis_url"):
        MoonlightSite(portal_redis_url=url)


@pytest.mark.parametrize("who", [":s3cret@", "user:s3cret@", "s3cret@"])
def test_an_address_holds_no_password(who: str) -> None:
    with pytest.raises(TraitError, match="portal_redis_password_file") as refused:
        MoonlightSite(portal_redis_url=f"redis://{who}127.0.0.1/0")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("sentinel", ["redis1", "redis1:", ":26379", "a b:1", "redis1:26379/0"])
def test_what_is_no_sentinel(sentinel: str) -> None:
    assert MoonlightSite(portal_redis_sentinels=["redis1:26379", "[::1]:26379"])
    with pytest.raises(TraitError, match="portal_redis_sentinels"):
        MoonlightSite(portal_redis_sentinels=[sentinel])


@pytest.mark.parametrize("prefix", ["", "moonlight", ":", "a*:", "a b:", "a:b:", "a:b"])
def test_what_is_no_prefix(prefix: str) -> None:
    """An empty one, or one with signs of a pattern, would lead to keys of others."""
    assert MoonlightSite(portal_redis_prefix="desks.2-x:")
    with pytest.raises(TraitError, match="portal_redis_prefix"):
        MoonlightSite(portal_redis_prefix=prefix)
