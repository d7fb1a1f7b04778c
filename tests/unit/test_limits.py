"""How often somebody may: the buckets, and what of a portal's requests is counted for whom."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from moonlight_jupyter.portal import limits
from moonlight_jupyter.portal.limits import Limits
from moonlight_jupyter.portal.refusals import LoginOver, LoginRefused, LoginUnclear
from moonlight_spawner.model.errors import TooManyRequests
from moonlight_spawner.relay.buckets import Bucket, Buckets
from moonlight_spawner.site.options import MoonlightSite


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    clock = Clock()
    bucket = Bucket(2.0, 3.0, clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    assert bucket.wait == pytest.approx(0.5)
    clock.now = 0.4
    assert not bucket.take() and bucket.wait == pytest.approx(0.1)
    clock.now = 0.5
    assert bucket.take() and not bucket.take()
    clock.now = 1000.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False], "no more is saved up"


def test_what_costs_more_than_there_is_left_is_made_good_by_waiting() -> None:
    clock = Clock()
    bucket = Bucket(2.0, 4.0, clock)
    assert bucket.spend(1.0) == 0.0 and bucket.spend(9.0) == pytest.approx(3.0)
    clock.now = 3.4
    assert not bucket.take()
    clock.now = 3.6
    assert bucket.take() and not bucket.take()


def test_a_long_answer_is_as_many_requests_as_it_has_parts() -> None:
    some = Limits(MoonlightSite(portal_requests_per_minute=600))
    alice, bob = handler("alice"), handler("bob")
    assert some.answered(alice, 3000) == 0.0 and some.answered(handler(None), 1 << 30) == 0.0
    for _ in range(1000):  # a short one is counted as the call that it answers, and as no more
        some.answered(alice, 3000)
    assert 10 < some.answered(alice, 210 * (64 << 10)) < 12
    assert times(some.request, alice) == 0 and times(some.request, bob, 50) == 50
    assert Limits(MoonlightSite(portal_requests_per_minute=0)).answered(alice, 1 << 40) == 0.0


def test_who_is_refused_comes_no_later_for_it() -> None:
    clock = Clock()
    bucket = Bucket(1.0, 1.0, clock)
    assert bucket.take()
    for tenth in range(1, 10):
        clock.now = tenth / 10
        assert not bucket.take()
    clock.now = 1.01
    assert bucket.take()


def test_buckets_of_many_names_are_bounded() -> None:
    buckets = Buckets(1.0, 1.0, 3)
    assert buckets.of("a").take()
    for name in ("b", "c", "d"):
        assert not buckets.of("a").take(), "one that is in use was forgotten"
        assert buckets.of(name).take()
    assert len(buckets) == 3


def handler(user: str | None, refusal: Any = None, address: str = "10.0.0.1") -> Any:
    return SimpleNamespace(
        current_user=user and SimpleNamespace(username=user),
        login_refusal=refusal,
        request=SimpleNamespace(remote_ip=address),
    )


def times(taking: Any, by: Any, most: int = 1000) -> int:
    """How often it goes well."""
    for count in range(most):
        try:
            taking(by)
        except TooManyRequests as e:
            assert e.retry_after and e.retry_after >= 1 and f"{e.retry_after} s" in e.message
            return count
    return most


def test_each_user_has_his_own_count() -> None:
    counted = Limits(MoonlightSite(portal_requests_per_minute=60, portal_launches_per_minute=3))
    assert times(counted.request, handler("alice")) == 10, "a sixth of a minute's at once"
    assert times(counted.request, handler("bob")) == 10
    assert times(counted.launch, handler("alice")) == 3
    assert times(counted.launch, handler("bob")) == 3


def test_zero_is_no_limit() -> None:
    site = MoonlightSite(
        portal_requests_per_minute=0, portal_launches_per_minute=0, portal_failures_per_minute=0
    )
    counted = Limits(site)
    for take, by in (
        (counted.request, handler("alice")),
        (counted.launch, handler("alice")),
        (counted.request, handler(None, LoginRefused("x"))),
    ):
        assert times(take, by) == 1000


def test_the_smallest_limit_lets_one_through() -> None:
    assert times(Limits(MoonlightSite(portal_requests_per_minute=1)).request, handler("a")) == 1


def test_of_strangers_failed_logins_are_counted_by_their_address() -> None:
    counted = Limits(MoonlightSite(portal_failures_per_minute=5))
    failing = handler(None, LoginRefused("no token"))
    assert times(counted.request, failing) == 5
    assert times(counted.request, handler(None, LoginOver("over"))) == 0
    assert times(counted.request, handler(None, LoginRefused("x"), "10.0.0.2")) == 5
    assert times(counted.request, handler(None, LoginRefused("x"), "2001:db8::1")) == 5
    assert times(counted.request, handler(None, LoginRefused("x"), "2001:db8::2")) == 0
    # Neither who brings nothing, nor who cannot be looked at now, nor who has a login that counts.
    assert times(counted.request, handler(None), 50) == 50
    assert times(counted.request, handler(None, LoginUnclear("directory")), 50) == 50
    assert times(counted.request, handler("alice"), 50) == 50


def test_what_is_kept_of_all_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MOST_KEPT", 100)
    counted = Limits(MoonlightSite())
    for number in range(1000):
        counted.request(handler(f"user{number}"))
    kept = counted._requests._buckets
    assert kept is not None and len(kept) == 100
