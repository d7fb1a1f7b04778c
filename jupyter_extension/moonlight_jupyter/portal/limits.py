"""How often a user may ask, how much at once, and how often a stranger may fail to log in.

Each service counts for itself: beside n others a user may ask n times as often. That protects the
service, which is what it is for; what a user may have of the cluster is counted on his own side.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from moonlight_spawner.model.errors import TooManyRequests
from moonlight_spawner.relay.buckets import Buckets, source
from moonlight_spawner.site.options import MoonlightSite

_MOST_KEPT = 10_000
# Of an answer; so many more are one request more: what is in his records is a user's to make long.
_BYTES_OF_ONE = 64 * 1024
# What the call that it answers pays for already.
_SHORT_BYTES = 4 << 10
_AT_ONCE_SECONDS = 10.0  # a page with several sessions opens with some calls at once


class Limits:
    """Counts what handlers are asked; a page of another site cannot use up what is a user's: its
    requests are refused before they are counted here."""

    def __init__(self, site: MoonlightSite):
        each, launches = site.portal_requests_per_minute, site.portal_launches_per_minute
        at_once = max(1.0, each * _AT_ONCE_SECONDS / 60)
        self._requests = _Limit("You ask more often than {} times a minute.", each, at_once)
        self._launches = _Limit("You launch more often than {} times a minute.", launches)
        self._most_open = site.portal_requests_open
        self._open: Counter[str] = Counter()
        self._failures = _Limit(
            "Logins from your address fail more often than {} times a minute.",
            site.portal_failures_per_minute,
        )

    def request(self, handler: Any) -> None:
        """Count a request by whom it is; one of nobody only if it brought a login that does not count.

        A login that counts is let in whatever others at its address do: a token cannot be guessed, and
        behind one address there may be a whole institute.

        Raises
        ------
        TooManyRequests
        """
        user, refusal = handler.current_user, getattr(handler, "login_refusal", None)
        if user is not None:
            self._requests.take(user.username)
        elif refusal is not None and refusal.code == "token_refused":
            self._failures.take(source(handler.request.remote_ip))

    def answered(self, handler: Any, size: int) -> float:
        """Count an answer of so many bytes to a user; gives the seconds in which he is to get no more."""
        if handler.current_user is None:
            return 0.0
        return self._requests.spend(
            handler.current_user.username, max(0, size - _SHORT_BYTES) / _BYTES_OF_ONE
        )

    def hold(self, handler: Any, weight: int) -> tuple[str, int] | None:
        """Count an open request of a user, as so many: each costs descriptors and memory, of which a
        service has so much, and may stay open for as long as its user likes. Gives what :meth:`release`
        wants, None for nobody.

        Raises
        ------
        TooManyRequests
        """
        if handler.current_user is None:
            return None
        user = str(handler.current_user.username)
        now = self._open[user]
        if self._most_open and now and now + weight > self._most_open:
            raise TooManyRequests(
                f"You have {self._most_open} requests open at once. Close some desktops or pages, or try "
                "again in 5 s.",
                5,
            )
        self._open[user] = now + weight
        return user, weight

    def release(self, user: str, weight: int) -> None:
        self._open[user] -= weight
        if not self._open[user]:
            del self._open[user]

    def launch(self, handler: Any) -> None:
        """
        Raises
        ------
        TooManyRequests
        """
        self._launches.take(handler.current_user.username)


class _Limit:
    """``{}`` in ``sentence`` becomes the number. 0 is none."""

    def __init__(self, sentence: str, per_minute: int, at_once: float | None = None):
        self._sentence = sentence.format(per_minute)
        self._buckets = None
        if per_minute:
            self._buckets = Buckets(per_minute / 60, at_once or per_minute, _MOST_KEPT)

    def spend(self, name: str, more: float) -> float:
        return 0.0 if self._buckets is None else self._buckets.of(name).spend(more)

    def take(self, name: str) -> None:
        if self._buckets is None:
            return
        bucket = self._buckets.of(name)
        if not bucket.take():
            seconds = max(1, math.ceil(bucket.wait))
            raise TooManyRequests(f"{self._sentence} Try again in {seconds} s.", seconds)


__all__ = ["Limits"]
