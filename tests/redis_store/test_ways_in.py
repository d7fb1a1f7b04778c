"""How Redis is reached: a port, a socket, TLS, a user of its ACL, Sentinels; as the settings say it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.model.errors import StoreUnavailable
from moonlight_spawner.portal.records import redis_store
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.store.redis import RedisStore

from tests.support.redis import RedisServer, certificates, redis_server
from tests.support.waiting import wait_for

from .sessions import ALICE, ID, put


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Where the service's own files lie."""
    path = tmp_path / "service"
    path.mkdir(mode=0o700)
    return path


def _store(private: Path, server: RedisServer, **settings: Any) -> RedisStore:
    given = server.settings(server.password_file(private / "redis-password"))
    given |= {"portal_key_file": str(private / "key"), "portal_redis_seconds": 5.0}
    return redis_store(MoonlightSite(**{**given, **settings}))


def _works(store: RedisStore) -> bool:
    put(store)
    found = store.ids(ALICE) == [ID]
    store.remove(ALICE, ID)
    store.close()
    return found


def test_a_port_a_socket_and_a_database(server: RedisServer, private: Path) -> None:
    assert _works(_store(private, server))
    assert _works(_store(private, server, portal_redis_url=server.unix_url))
    store = _store(private, server, portal_redis_url=f"{server.unix_url}?db=3")
    put(store)
    store = _store(private, server, portal_redis_url=server.url.replace("/0", "/3"))
    assert store.ids(ALICE) == [ID]
    assert _store(private, server).ids(ALICE) == []


def test_a_user_of_the_acl(server: RedisServer, private: Path) -> None:
    with server.client() as client:
        client.acl_setuser(
            "ours", enabled=True, passwords=["+pass"], keys=["moonlight:*"], categories=["+@all"]
        )
    password = private / "ours"
    password.touch(mode=0o600)
    password.write_text("pass\n")
    ours = {"portal_redis_user": "ours", "portal_redis_password_file": str(password)}
    try:
        assert _works(_store(private, server, **ours))
        with pytest.raises(StoreUnavailable, match="does not let its service do that"):
            _store(private, server, portal_redis_prefix="other:", **ours).ids(ALICE)
    finally:
        with server.client() as client:
            client.acl_deluser("ours")


@pytest.fixture
def with_tls() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="mlt-tls-", dir="/var/tmp") as path:
        certificates(Path(path))
        with redis_server(
            "port 0",
            "tls-port {port}",
            f"tls-cert-file {path}/cert.pem",
            f"tls-key-file {path}/key.pem",
            f"tls-ca-cert-file {path}/ca.pem",
        ) as server:
            server.certificates = Path(path)
            yield server


def test_tls(with_tls: RedisServer, private: Path, tmp_path: Path) -> None:
    """Redis as it is by itself: it wants a certificate of its clients, too."""
    at = with_tls.certificates
    tls = {
        "portal_redis_url": with_tls.url.replace("redis:", "rediss:"),
        "portal_redis_ca_file": str(at / "ca.pem"),
        "portal_redis_certificate_file": str(at / "cert.pem"),
        "portal_redis_certificate_key_file": str(at / "key.pem"),
    }
    assert _works(_store(private, with_tls, **tls))
    other = tmp_path / "other"
    other.mkdir()
    certificates(other)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        _store(private, with_tls, **{**tls, "portal_redis_ca_file": str(other / "ca.pem")}).live()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        _store(private, with_tls, **{**tls, "portal_redis_url": with_tls.url}).live()
    with pytest.raises(ValueError, match="portal_redis_ca_file"):
        _store(private, with_tls, **{**tls, "portal_redis_ca_file": "/nowhere"})


@pytest.fixture
def sentinel(server: RedisServer) -> Iterator[RedisServer]:
    lines = [
        f"sentinel monitor desks 127.0.0.1 {server.port} 1",
        f'sentinel auth-pass desks "{server.password}"',
    ]
    with redis_server(*lines, sentinel=True) as one:
        yield one


def test_sentinels_say_where_it_is(
    server: RedisServer, sentinel: RedisServer, private: Path
) -> None:
    asked = {
        "portal_redis_url": "redis://desks/0",
        "portal_redis_sentinels": [f"127.0.0.1:{sentinel.port}"],
        "portal_redis_sentinel_password_file": str(sentinel.password_file(private / "sentinel")),
    }
    wait_for(lambda: _found(_store(private, server, **asked)))
    assert _works(_store(private, server, **asked))
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        _store(private, server, **{**asked, "portal_redis_url": "redis://another/0"}).live()


def _found(store: RedisStore) -> bool:
    try:
        return store.live() == []
    except StoreUnavailable:
        return False


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660])
def test_a_password_that_others_may_read_is_not_used(
    server: RedisServer, private: Path, mode: int
) -> None:
    _store(private, server)
    (private / "redis-password").chmod(mode)
    with pytest.raises(ValueError, match="0600"):
        redis_store(
            MoonlightSite(
                portal_redis_url=server.url,
                portal_redis_password_file=str(private / "redis-password"),
                portal_key_file=str(private / "key"),
            )
        )


@pytest.mark.parametrize("text", ["", "\n", "one\ntwo\n"])
def test_a_password_is_one_line(private: Path, text: str) -> None:
    path = private / "password"
    path.touch(mode=0o600)
    path.write_text(text)
    site = MoonlightSite(
        portal_redis_url="redis://127.0.0.1",
        portal_redis_password_file=str(path),
        portal_key_file=str(private / "key"),
    )
    with pytest.raises(ValueError, match="one line"):
        redis_store(site)
