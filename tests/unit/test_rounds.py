"""The portal's rounds: what is asked of whom, when, and that nobody holds up anybody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from moonlight_spawner.model.errors import StoreUnavailable, UserSideTimeout
from moonlight_spawner.model.records import StopReason
from moonlight_spawner.model.session import Resources, Session, State, now
from moonlight_spawner.portal import rounds
from moonlight_spawner.portal.rounds import Rounds
from moonlight_spawner.site.options import MoonlightSite

A, B, C = "ml-alice-aaaaaaaaaa", "ml-alice-bbbbbbbbbb", "ml-bob-aaaaaaaaaa"


class Portal:
    """Stands in for the manager: it has what a test puts there, and remembers what it is asked."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.jobs: dict[str, list[str]] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.hang: set[str] = set()
        self.refuse: Exception | None = None
        self.held = True
        self.renewed = 0

    async def all_sessions(self) -> Collection[Session]:
        if self.refuse:
            raise self.refuse
        return list(self.sessions)

    async def unrecorded(self) -> dict[str, list[str]]:
        return dict(self.jobs)

    async def renew(self) -> None:
        self.renewed += 1

    async def adopt(self, user: str) -> None:
        await self._asked("adopt", user)

    async def stop(self, user: str, session_id: str, why: StopReason) -> None:
        await self._asked("stop", user, session_id, why)

    async def reap(self, user: str) -> list[str]:
        await self._asked("reap", user)
        return [s.session_id for s in self.sessions if s.user == user]

    async def _asked(self, *what: Any) -> None:
        self.asked.append(what)
        if what[1] in self.hang:
            raise UserSideTimeout(f"{what[1]}'s side has not answered")


def session(name: str, resources: Resources, **more: Any) -> Session:
    values = {"image_id": "d", "image_name": "D", "host": "selkies", "scheduler": "slurm", **more}
    user = name.split("-")[1]
    given = {"status": State.RUNNING, "created_at": now(), **values}
    return Session(session_id=name, user=user, request=resources, **given)


@pytest.fixture
def portal() -> Portal:
    return Portal()


def go(portal: Portal, times: int = 1, **settings: Any) -> Rounds:
    made = Rounds(MoonlightSite(**settings), portal, lambda: portal.held)

    async def some() -> None:
        for _ in range(times):
            await made.one()
            await asyncio.gather(*[u.task for u in made._users.values() if u.task])

    asyncio.run(some())
    return made


def test_secrets_are_brought_to_the_newest_key_at_once_and_then_once_an_hour(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(portal, 3)
    assert portal.renewed == 1
    monkeypatch.setattr(rounds, "_RENEW_SECONDS", -1.0)
    go(portal, 2)
    assert portal.renewed == 3


def test_what_is_well_is_left_alone(portal: Portal, resources: Resources) -> None:
    soon, before = now() + timedelta(hours=1), now() - timedelta(minutes=1)
    portal.sessions = [
        session(A, resources, ends_at=soon, started_at=before),
        session(B, resources, status=State.STARTING, started_at=before),
        session(C, resources, status=State.COMPLETED, ended_at=before),
        session("ml-bob-bbbbbbbbbb", resources, status=State.PENDING),
        # Past its time, and within what its agent and Slurm may take.
        session("ml-bob-cccccccccc", resources, ends_at=before),
    ]
    go(portal, 2)
    assert portal.asked == []


def test_who_is_past_his_time_or_does_not_start_is_ended(
    portal: Portal, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    long_ago = now() - timedelta(minutes=30)
    portal.sessions = [
        session(A, resources, ends_at=long_ago),
        session(B, resources, status=State.STARTING, started_at=long_ago),
        session(C, resources, status=State.RUNNING, started_at=long_ago),
    ]
    with caplog.at_level(logging.INFO):
        go(portal)
    assert portal.asked == [
        ("stop", "alice", A, StopReason.OVERDUE),
        ("stop", "alice", B, StopReason.START_TIMEOUT),
    ]
    assert f"stopped (overdue) session={A} user=alice" in caplog.text
    portal.asked.clear()
    go(portal, portal_start_minutes=0)
    assert portal.asked == [("stop", "alice", A, StopReason.OVERDUE)]


def test_no_time_that_a_record_may_have_ends_the_rounds(
    portal: Portal, resources: Resources
) -> None:
    """They are words of the session's user, and the work is everybody's."""
    long_ago = now() - timedelta(minutes=30)
    for moment in (datetime.max, datetime.min):
        at = moment.replace(tzinfo=timezone.utc)
        starts = session("ml-bob-bbbbbbbbbb", resources, status=State.STARTING)
        portal.sessions = [
            # As if the model, which takes no such time, had let it pass.
            session(C, resources).model_copy(update={"ends_at": at, "started_at": at}),
            starts.model_copy(update={"started_at": at}),
            session(A, resources, ends_at=long_ago),
        ]
        portal.asked.clear()
        go(portal)
        assert ("stop", "alice", A, StopReason.OVERDUE) in portal.asked


def test_a_stop_that_slurm_did_not_hear_is_said_again(
    portal: Portal, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.sessions = [session(A, resources, status=State.STOPPING)]
    go(portal, 3)
    assert portal.asked == []
    monkeypatch.setattr(rounds, "_STOP_AGAIN_SECONDS", 0.0)
    go(portal)
    assert portal.asked == [("stop", "alice", A, StopReason.USER)]


def test_each_end_is_told_once(
    portal: Portal, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    live = session(A, resources)
    portal.sessions = [live, session(C, resources, status=State.FAILED, ended_at=now())]
    made = Rounds(MoonlightSite(), portal, lambda: True)
    with caplog.at_level(logging.INFO):
        asyncio.run(made.one())
        ended = {"status": State.CANCELLED, "reason_code": "CancelledOutside", "ended_at": now()}
        portal.sessions = [live.model_copy(update=ended)]
        asyncio.run(made.one())
        asyncio.run(made.one())
    lines = [r.message for r in caplog.records if r.message.startswith("ended")]
    assert lines == [f"ended session={A} user=alice state=cancelled reason=CancelledOutside"]


def test_a_job_without_a_record_makes_its_user_be_adopted(
    portal: Portal, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    portal.jobs = {"alice": [A, B], "bob": [C]}
    with caplog.at_level(logging.INFO):
        go(portal, 3)
    assert portal.asked == [("adopt", "alice"), ("adopt", "bob")]
    left_alone = [r.message for r in caplog.records if "left alone" in r.message]
    assert len(left_alone) == 3 and all(name in "".join(left_alone) for name in (A, B, C))


def test_what_is_old_is_forgotten_by_its_user(portal: Portal, resources: Resources) -> None:
    old = now() - timedelta(days=3)
    portal.sessions = [
        session(A, resources, status=State.COMPLETED, ended_at=old),
        session(B, resources, status=State.FAILED, ended_at=old),
        session(C, resources, status=State.FAILED, ended_at=now()),
    ]
    go(portal, retention_days=4)
    assert portal.asked == []
    go(portal, retention_days=2)
    assert portal.asked == [("reap", "alice")]


def test_who_does_not_answer_holds_up_nobody_and_is_left_alone_for_a_while(
    portal: Portal, resources: Resources, caplog: pytest.LogCaptureFixture
) -> None:
    long_ago = now() - timedelta(minutes=30)
    portal.sessions = [session(name, resources, ends_at=long_ago) for name in (A, B, C)]
    portal.hang = {"alice"}
    go(portal, 3)
    asked = [user for _, user, *_ in portal.asked]
    assert asked.count("alice") == 1 and asked.count("bob") == 3
    assert "alice is asked again in 30 s" in caplog.text


def test_users_that_hang_are_a_few_at_a_time(
    portal: Portal, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_AT_ONCE", 2)
    begun: list[str] = []

    async def hang(user: str) -> None:
        begun.append(user)
        await asyncio.Event().wait()

    monkeypatch.setattr(portal, "adopt", hang)
    portal.jobs = {f"u{i}": [f"ml-u{i}-aaaaaaaaaa"] for i in range(5)}

    async def main() -> None:
        made = Rounds(MoonlightSite(), portal, lambda: True)
        going = asyncio.ensure_future(made.go_on())
        while len(begun) < 2:
            await asyncio.sleep(0)
        await made.one()
        await asyncio.sleep(0)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)

    asyncio.run(main())
    assert len(begun) == 2


def test_nothing_is_begun_or_gone_on_with_without_the_lock(
    portal: Portal, resources: Resources
) -> None:
    long_ago = now() - timedelta(minutes=30)
    portal.sessions = [session(name, resources, ends_at=long_ago) for name in (A, B)]
    portal.held = False
    go(portal)
    assert portal.asked == []

    async def stop(user: str, session_id: str, why: StopReason) -> None:
        portal.asked.append(("stop", session_id))
        portal.held = False  # as for a service that stood still within it

    portal.held, portal.stop = True, stop  # type: ignore[method-assign]
    go(portal)
    assert portal.asked == [("stop", A)]


@pytest.mark.parametrize("refusal", [StoreUnavailable("Redis is away"), ValueError("odd")])
def test_a_round_that_cannot_be_made_is_told_and_left_out(
    portal: Portal, refusal: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    portal.refuse = refusal
    go(portal)
    assert "left out" in caplog.text and str(refusal) in caplog.text
