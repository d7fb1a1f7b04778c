"""What the portal's view keeps and gives, over a real Redis and an answer of Slurm's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TypeVar

import pytest
from moonlight_spawner.model.job import JobInfo, JobState
from moonlight_spawner.model.records import AgentStatus, Job, Name, SessionRecord, Stop
from moonlight_spawner.model.session import Gateway, Session, StaleCode, State, now
from moonlight_spawner.portal import derived
from moonlight_spawner.portal import view as view_of_portal
from moonlight_spawner.portal.view import View
from moonlight_spawner.scheduler.base import Snapshot
from moonlight_spawner.sessions import reading
from moonlight_spawner.site.options import MoonlightSite
from moonlight_spawner.store.redis import RedisStore

from tests.support.redis import RedisServer

from .conftest import MakeStore
from .sessions import ALICE, BOB, ID, OF_BOB, OTHER, end, facts, get, put

T = TypeVar("T")
GATEWAY = Gateway(hosts=["n1"], port=40000, certificate="PEM")
TOKEN = "t" * 43


class Slurm:
    """What it would answer."""

    def __init__(self) -> None:
        self.jobs: dict[str, str] = {}
        self.node = "n1"

    async def snapshot(self, job_ids: Collection[str]) -> Snapshot:
        jobs = {
            i: JobInfo(job_id=i, state=JobState.RUNNING, node=self.node)
            for i in job_ids
            if i in self.jobs
        }
        return Snapshot(jobs, complete=False, owners=dict(self.jobs))

    async def place(self) -> str:
        return "cluster"

    async def sessions(self) -> Mapping[str, str]:
        return {ID: ALICE, OF_BOB: BOB}

    async def close(self) -> None:
        """Nothing."""


class Clock:
    """All clocks, so many seconds ahead."""

    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def now(self) -> datetime:
        return now() + timedelta(seconds=self.ahead)


def viewed(store: RedisStore, ask: Callable[[View, Slurm], Awaitable[T]]) -> T:
    async def once() -> T:
        slurm = Slurm()
        view = View(MoonlightSite(scheduler="slurm"), store, slurm)
        try:
            return await ask(view, slurm)
        finally:
            await view.close()

    return asyncio.run(once())


def running(seconds_ago: float = 0, gateway: Gateway | None = GATEWAY) -> AgentStatus:
    moment = now() - timedelta(seconds=seconds_ago)
    began = now() - timedelta(seconds=900)
    return AgentStatus(phase="running", started_at=began, beat=moment, gateway=gateway, node="n1")


def record(
    session_id: str = ID, user: str = ALICE, job: str = "7", **more: object
) -> SessionRecord:
    return SessionRecord.model_validate(
        {"facts": facts(session_id, user), "job": Job(job_id=job), "token": TOKEN, **more}
    )


def test_a_users_last_word_on_a_name_stays_in_whatever_order_answers_come(
    store: RedisStore,
) -> None:
    """An answer that was read before a renaming may come after it, to this service or to another."""
    first = Name(text="").followed_by("first")
    second = first.followed_by("second")

    async def ask(view: View, slurm: Slurm) -> None:
        async def shown(name: Name | None) -> str | None:
            await view.keep(ALICE, record(name=name))
            return (await view.look(ALICE)).sessions[0].name

        unnamed = await shown(None)
        assert await shown(second) == "second"
        assert await shown(first) == "second"
        assert await shown(None) == "second", "it had none when that was read"
        assert not await view.adopt(ALICE, [ID], [record(name=second)]), "the same is no change"
        assert await shown(second.followed_by("")) == unnamed
        assert await shown(Name(text="by an older version")) == "by an older version"

    viewed(store, ask)


def test_what_a_side_says_takes_the_place_of_what_is_known(store: RedisStore) -> None:
    async def ask(view: View, slurm: Slurm) -> None:
        assert await view.age(ALICE) == float("inf")
        assert await view.adopt(ALICE, [], [record(status=running())])
        assert await view.age(ALICE) < 5
        look = await view.look(ALICE)
        assert [(s.session_id, s.status) for s in look.sessions] == [(ID, State.RUNNING)]
        assert look.serves == 60
        reach = await view.reach(ALICE, ID)
        assert reach and reach.target and reach.target.port == 40000
        # It began before the side was asked for the second time, and ended meanwhile.
        assert await view.adopt(ALICE, [ID], [record(status=running(), end=end())])
        look = await view.look(ALICE)
        assert [s.status for s in look.sessions] == [State.COMPLETED]
        reach = await view.reach(ALICE, ID)
        assert reach and reach.target is None and reach.end and reach.end.code == "Ended"
        assert store.secret(ALICE, ID, "token") is None
        # One that the side does not have is forgotten, unless it began after that was asked.
        await view.keep(ALICE, record(OTHER))
        assert await view.adopt(ALICE, [ID], [])
        assert [s.session_id for s in (await view.look(ALICE)).sessions] == [OTHER]

    viewed(store, ask)


def test_an_answer_that_is_older_undoes_no_stop_and_no_newer_word(store: RedisStore) -> None:
    async def ask(view: View, slurm: Slurm) -> None:
        await view.adopt(ALICE, [], [record(stop=Stop(), status=running(seconds_ago=1))])
        await view.adopt(ALICE, [ID], [record(status=running(seconds_ago=60))])
        look = await view.look(ALICE)
        assert [s.status for s in look.sessions] == [State.STOPPING] and look.to_stop == [ID]
        status = get(store, "status", AgentStatus)
        assert status and (now() - status.beat).total_seconds() < 30

    viewed(store, ask)


def test_an_agents_word_is_kept_if_it_is_the_newest_and_its_gateway_stays(
    store: RedisStore,
) -> None:
    async def ask(view: View, slurm: Slurm) -> None:
        assert not await view.heard(ALICE, ID, running())
        assert await view.look(ALICE, ID) == await view.look(ALICE, OTHER)
        await view.adopt(ALICE, [], [record(status=running(seconds_ago=30))])
        assert await view.heard(ALICE, ID, running(gateway=None))
        reach = await view.reach(ALICE, ID)
        assert reach and reach.target and reach.target.addresses == ("n1",)
        assert not await view.heard(ALICE, ID, running(seconds_ago=20))

    viewed(store, ask)


def test_an_agents_word_after_the_end_brings_nothing_back(store: RedisStore) -> None:
    async def ask(view: View, slurm: Slurm) -> None:
        await view.adopt(ALICE, [], [record(status=running(seconds_ago=30), end=end())])
        assert await view.heard(ALICE, ID, running())
        (session,) = (await view.look(ALICE)).sessions
        assert session.status is State.COMPLETED and session.gateway is None
        reach = await view.reach(ALICE, ID)
        assert reach and reach.target is None and store.live() == []
        assert store.secret(ALICE, ID, "token") is None

    viewed(store, ask)


def test_each_user_is_shown_his_own_of_one_answer(store: RedisStore) -> None:
    """Both records name the same job."""

    async def ask(view: View, slurm: Slurm) -> None:
        slurm.jobs = {"7": BOB}
        await view.adopt(ALICE, [], [record()])
        await view.adopt(BOB, [], [record(OF_BOB, BOB)])
        looks = await view.everybodys()
        assert {user: [s.status for s in look.sessions] for user, look in looks.items()} == {
            ALICE: [State.PENDING],
            BOB: [State.STARTING],
        }
        assert looks[ALICE].serves == looks[BOB].serves == 5

    viewed(store, ask)
    seen = store.snapshot(BOB).parts(BOB, OF_BOB)
    assert "seen" in seen and "seen" not in store.snapshot(ALICE).parts(ALICE, ID)


def test_a_look_shows_what_has_changed_since_the_last_and_nothing_else_anew(
    store: RedisStore,
) -> None:
    async def ask(view: View, slurm: Slurm) -> None:
        slurm.jobs = {"7": ALICE, "8": ALICE}
        await view.adopt(ALICE, [], [record(status=running(), job="7"), record(OTHER, job="8")])

        async def look() -> dict[str, Session]:
            found = (await view.everybodys())[ALICE].sessions
            (own,) = (s for s in (await view.look(ALICE)).sessions if s.session_id == ID)
            assert own is next(s for s in found if s.session_id == ID)
            return {s.session_id: s for s in found}

        await look()
        await asyncio.gather(*view._writing)  # what Slurm said is a change of the record, too
        first = await look()
        assert (first[ID].status, first[OTHER].status) == (State.RUNNING, State.STARTING)
        again = await look()
        assert again[ID] is first[ID] and again[OTHER] is first[OTHER]

        spoken = running().model_copy(update={"encoder": "x264", "sequence": 1})
        await view.heard(ALICE, ID, spoken)
        told = await look()
        assert (told[ID].encoder, told[OTHER]) == ("x264", first[OTHER])
        slurm.node = "n2"  # a line of Slurm's
        moved = await look()
        assert moved[OTHER].node == "n2" and moved[ID].node == "n1", "its agent knows best"

        # Time alone: what was derived serves until its agent should have spoken.
        clock.ahead = 300
        silent = await look()
        assert silent[ID].stale_code is StaleCode.NODE_SILENT
        await view.adopt(ALICE, [ID, OTHER], [record(status=spoken, end=end())])
        gone = await look()
        assert set(gone) == {ID} and gone[ID].status is State.COMPLETED

    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(derived, "time", SimpleNamespace(monotonic=clock.monotonic))
        for module in (derived, reading, view_of_portal):
            patch.setattr(module, "now", clock.now)
        viewed(store, ask)


def test_a_long_list_lets_others_have_their_turn(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_of_portal, "_AT_A_TIME_SECONDS", -1.0)
    users = [f"u{i}" for i in range(20)]
    for user in users:
        put(store, f"ml-{user}-abcdefghij", user)

    async def ask(view: View, slurm: Slurm) -> None:
        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += seen.is_set()

        turns, seen = 0, asyncio.Event()
        place = slurm.place

        async def begins() -> str:
            seen.set()
            return await place()

        slurm.place = begins  # type: ignore[method-assign]
        other = asyncio.ensure_future(others())
        assert len(await view.everybodys()) == len(users)
        other.cancel()
        assert turns >= len(users)

    viewed(store, ask)


def test_jobs_that_nobody_told_of_are_found_by_their_names(store: RedisStore) -> None:
    async def ask(view: View, slurm: Slurm) -> None:
        await view.adopt(ALICE, [], [record()])
        assert await view.unrecorded() == {BOB: [OF_BOB]}

    viewed(store, ask)


def test_what_is_somebody_elses_is_left_out_and_hides_nothing(store: RedisStore) -> None:
    """Users whose names differ in some signs alone have ids of one form."""

    async def ask(view: View, slurm: Slurm) -> None:
        await view.adopt("alice!", [], [record(ID, "alice!")])
        await view.adopt(ALICE, [], [record(), record(OTHER)])
        assert [s.session_id for s in (await view.look(ALICE)).sessions] == [OTHER]
        assert [s.session_id for s in (await view.look("alice!")).sessions] == [ID]
        await view.forget(ALICE, [OTHER])
        assert (await view.look(ALICE)).sessions == []

    viewed(store, ask)


def test_what_no_key_opens_any_more_comes_from_the_users_side_again(
    store: RedisStore, server: RedisServer, make_store: MakeStore
) -> None:
    """A service whose key file was lost: of sessions that go on, and of those that have ended."""
    other = make_store(server, keys=(b"o" * 32,))
    ended = record(OTHER, status=running(60), end=end())
    records = [record(status=running(60)), ended]

    async def known(view: View, slurm: Slurm) -> None:
        await view.adopt(ALICE, [], records)

    async def again(view: View, slurm: Slurm) -> None:
        assert await view.reach(ALICE, ID) is None
        assert await view.adopt(ALICE, [ID, OTHER], records)
        reach = await view.reach(ALICE, ID)
        assert reach and reach.target and reach.target.port == 40000
        assert not await view.adopt(ALICE, [ID, OTHER], records)

    viewed(store, known)
    viewed(other, again)
    for session_id in (ID, OTHER):
        assert get(other, "status", AgentStatus, session_id) is not None
