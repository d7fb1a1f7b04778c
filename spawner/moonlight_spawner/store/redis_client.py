"""Asks Redis: within a bounded time, and with one sentence for whatever goes wrong."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SlaveNotFoundError,
)

from ..model.errors import StoreUnavailable

# Whoever asks waits for an answer in a service that does other things for others: one that did not
# come keeps everybody else from asking for so long.
_PAUSE_SECONDS = 2.0
_MOST_CONNECTIONS = 32
# What is said to a long question of who has not logged in.
_NOBODY = "unauthenticated"
# A script of a user who may not do what is in it.
_MAY_NOT = "The user executing the script can't"
_LOOK_SECONDS = 30  # whether a connection that was idle for so long is there still
# So long Sentinels' word counts on who the master is; and where none of them answers, what they said before.
_MASTER_SECONDS, _NO_SENTINEL_SECONDS = 1.0, 10.0


@dataclass(frozen=True)
class RedisPlace:
    """Where Redis is and as whom it is asked. ``url`` as the setting ``portal_redis_url`` has it;
    ``seconds`` for connecting, and for each answer."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    certificate_file: str = ""
    certificate_key_file: str = ""
    sentinels: tuple[str, ...] = ()
    sentinel_password: str = field(default="", repr=False)
    seconds: float = 1.0

    def __str__(self) -> str:
        """For people; there is no password in the address."""
        if not self.sentinels:
            return self.url
        return f"{self.url} (by the Sentinels {', '.join(self.sentinels)})"


def client_of(place: RedisPlace) -> redis.Redis:
    """A client that connects when it is first asked, and again whenever that is needed."""
    url = urlsplit(place.url)
    waits: dict[str, Any] = {
        "socket_timeout": place.seconds,
        "socket_connect_timeout": place.seconds,
        "health_check_interval": _LOOK_SECONDS,
        # Once more, for a connection that Redis has closed meanwhile; what it did not answer in time
        # it is not asked again.
        "retry": Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        "protocol": 2,
    }
    if url.scheme == "rediss":
        waits |= {
            "ssl": True,
            "ssl_ca_certs": place.ca_file or None,
            "ssl_certfile": place.certificate_file or None,
            "ssl_keyfile": place.certificate_key_file or None,
        }
    options: dict[str, Any] = {
        "username": place.user or None,
        "password": place.password or None,
        "max_connections": _MOST_CONNECTIONS,
        **waits,
    }
    if url.scheme == "unix":
        options |= {
            "unix_socket_path": url.path,
            "db": int(parse_qs(url.query).get("db", ["0"])[0]),
        }
        return redis.Redis(**options)
    options["db"] = int(url.path.strip("/") or 0)
    if place.sentinels:
        hosts = [_host_and_port(named) for named in place.sentinels]
        told = {**waits, "password": place.sentinel_password or None}
        found: Any = Sentinel(hosts, sentinel_kwargs=told)  # type: ignore[no-untyped-call]
        client: redis.Redis = found.master_for(url.hostname or "mymaster", **options)
        return client
    return redis.Redis(host=url.hostname or "127.0.0.1", port=url.port or 6379, **options)


class Asking:
    """The way to one Redis, for all threads of a process.

    ``with asking.for_("the sessions of alice") as client:`` turns whatever Redis says or does not say
    into :class:`StoreUnavailable`. Who has not answered is not asked for two seconds: a service must
    not stand still once for everybody who wants something.
    """

    def __init__(self, place: RedisPlace):
        self._place = place
        self._client = client_of(place)
        self._guard = threading.Lock()
        self._silent_until = 0.0
        self._found = ""
        self._master_until = float("-inf")

    @contextlib.contextmanager
    def for_(self, what: str) -> Iterator[redis.Redis]:
        """
        Raises
        ------
        StoreUnavailable
        """
        with self._guard:
            if time.monotonic() < self._silent_until:
                raise self._unavailable(what, self._found)
        try:
            self._follow_master()
            yield self._client
        except (redis.RedisError, MasterNotFoundError, SlaveNotFoundError, OSError) as e:
            found = self._what_happened(e)
            if isinstance(e, redis.TimeoutError | TimeoutError):
                with self._guard:
                    self._silent_until = time.monotonic() + _PAUSE_SECONDS
                    self._found = found
            raise self._unavailable(what, found) from e

    def close(self) -> None:
        with contextlib.suppress(redis.RedisError, OSError):
            self._client.close()

    def _follow_master(self) -> None:
        """Leave connections to a master that has been followed by another. One that only stood still
        takes itself for the master when it goes on, for some seconds: what is read there is old, and
        what is written is lost."""
        pool = self._client.connection_pool
        if not isinstance(pool, SentinelConnectionPool):
            return
        with self._guard:
            if time.monotonic() < self._master_until:
                return
            self._master_until = time.monotonic() + _MASTER_SECONDS
        try:
            # That closes the ones to another that nobody uses.
            pool.get_master_address()  # type: ignore[no-untyped-call]
        except (redis.RedisError, OSError):
            with self._guard:
                self._master_until = time.monotonic() + _NO_SENTINEL_SECONDS

    def _unavailable(self, what: str, found: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"The portal's records were asked for {what}, but Redis at {self._place} {found}. Try again "
            "in a moment; if it stays so, an administrator has to look after Redis."
        )

    def _what_happened(self, error: Exception) -> str:
        said = " ".join(str(error).split())[:200]
        for secret in (self._place.password, self._place.sentinel_password):
            if secret:
                said = said.replace(secret, "…")
        if isinstance(error, redis.TimeoutError | TimeoutError):
            return f"has not answered within {self._place.seconds:g} s"
        if isinstance(error, redis.AuthenticationError) or _NOBODY in said:
            return (
                f"does not let its service in ({said}): portal_redis_user and "
                "portal_redis_password_file have to be those of its ACL"
            )
        if isinstance(error, redis.exceptions.NoPermissionError) or _MAY_NOT in said:
            return (
                f"does not let its service do that ({said}): its ACL has to allow the keys of "
                "portal_redis_prefix, and the commands that docs/portal.md names"
            )
        if isinstance(error, redis.exceptions.OutOfMemoryError) or said.startswith("OOM"):
            return "is full: it takes nothing more into its memory (maxmemory)"
        if "MISCONF" in said or "to persist" in said:
            return f"takes no changes, because it cannot write its data to disk ({said})"
        if isinstance(error, redis.exceptions.ReadOnlyError):
            return "is a copy that takes no changes (a replica)"
        if isinstance(error, redis.BusyLoadingError):
            return "has just been started and is still loading its data"
        if isinstance(error, redis.ConnectionError | MasterNotFoundError | OSError):
            return f"cannot be reached ({said})"
        return f"cannot do it ({said})"


def _host_and_port(named: str) -> tuple[str, int]:
    host, _, port = named.rpartition(":")
    return host.strip("[]"), int(port)
