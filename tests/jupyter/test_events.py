"""Pages that listen learn every change of every session, and cost nothing when they leave."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from moonlight_jupyter import events
from moonlight_jupyter.events import Watcher
from moonlight_spawner.store import files

from tests.support.waiting import PATIENCE

from .conftest import Call
from .described import Described
from .events import Listener
from .raw import Answer
from .sessions import Records

Page = Callable[[], Listener]

LIFE = ["pending", "starting", "running", "stopping", "cancelled"]


@pytest.fixture
def page(
    jp_serverapp: ServerApp,
    http_server_client: Any,
    jp_base_url: str,
    jp_auth_header: dict[str, str],
) -> Page:
    def page() -> Listener:
        port = http_server_client.get_http_port()
        return Listener(port, jp_base_url + "api/moonlight/events", jp_auth_header)

    return page


@pytest.fixture
def watcher(jp_serverapp: ServerApp) -> Watcher:
    found: Watcher = jp_serverapp.web_app.settings["moonlight_watchers"].of(
        jp_serverapp.web_app.settings["moonlight_user"]
    )
    return found


async def until(condition: Callable[[], Any]) -> None:
    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(poll(), PATIENCE)


class TestAListener:
    async def test_gets_all_sessions_first(self, page: Page, api: Call, records: Records) -> None:
        records.add()
        async with page() as first:
            assert "content-type: text/event-stream" in first.head
            assert "cache-control: no-store" in first.head
            assert await first.event() == ("sessions", (await api("GET", "/sessions")).json)

    async def test_follows_a_real_session_from_launch_to_end(
        self, page: Page, api: Call, described: Described
    ) -> None:
        async with page() as one, page() as two:
            for listener in (one, two):
                assert await listener.event() == ("sessions", {"sessions": []})
            launched = await api("POST", "/sessions")
            session_id = launched.json["session_id"]
            assert launched.status == 201
            seen = [asyncio.ensure_future(p.statuses(session_id, "running")) for p in (one, two)]
            lives = await asyncio.gather(*seen)
            stopped = await api("DELETE", f"/sessions/{session_id}")
            assert (stopped.status, stopped.json["status"]) == (202, "stopping")
            for life, listener in zip(lives, (one, two), strict=True):
                life += await listener.statuses(session_id, "cancelled")
                assert life == [status for status in LIFE if status in life]  # never backwards
                assert {"running", "cancelled"} <= set(life)

    async def test_learns_what_an_agent_says_before_the_next_look(
        self, watcher: Watcher, records: Records
    ) -> None:
        seldom = Watcher(watcher._manager, watcher._user, 10 * PATIENCE, 10 * PATIENCE)
        session_id = records.add("starting")
        queue = await seldom.listen()
        assert (await queue.get()).kind == "sessions"
        for phase in ("stopping", "running"):
            records.say(session_id, phase)
            event = await asyncio.wait_for(queue.get(), PATIENCE)
            assert (event.kind, event.data.status.value) == ("session", phase)
        await seldom.close()

    async def test_learns_the_end_of_a_record(self, page: Page, records: Records) -> None:
        session_id = records.add()
        async with page() as listener:
            await listener.event()
            shutil.rmtree(records.store.directory(session_id))
            assert await listener.event() == ("removed", {"session_id": session_id})

    async def test_misses_nothing_when_another_page_opens(
        self, page: Page, records: Records
    ) -> None:
        session_id = records.add("starting")
        async with page() as first:
            await first.event()
            records.say(session_id, "running")
            async with page() as second:  # looks at the sessions before the watcher does
                kind, data = await second.event()
                assert (kind, data["sessions"][0]["status"]) == ("sessions", "running")
                assert await first.statuses(session_id, "running") == ["running"]

    async def test_sessions_in_events_are_those_of_the_api(
        self, page: Page, api: Call, described: Described, records: Records
    ) -> None:
        session_id = records.add("starting")
        async with page() as listener:
            await listener.event()
            records.say(session_id, "running")
            kind, data = await listener.event()
            assert kind == "session"
            assert data == (await api("GET", f"/sessions/{session_id}")).json


class TestAPageThatLeaves:
    async def test_is_forgotten_and_nobody_looks_any_more(
        self, page: Page, records: Records, watcher: Watcher
    ) -> None:
        records.add()
        async with page() as one, page() as two:
            await one.event()
            await two.event()
            assert len(watcher._listeners) == 2
            one.leave()
            await until(lambda: len(watcher._listeners) == 1)
        await until(lambda: not watcher._listeners)
        await until(lambda: watcher._task and watcher._task.done())

    async def test_goes_on_when_a_place_of_the_records_is_safe_again(
        self, page: Page, records: Records, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A look that fails is one look, and no end of what the page listens to."""
        place = records.store.root
        away = place.with_name("away")
        monkeypatch.setattr(files, "_LOOK_AGAIN_SECONDS", 0.0)
        failed: list[str] = []
        monkeypatch.setattr(events.log, "exception", failed.append)
        async with page() as listener:
            assert (await listener.event() or ("",))[0] == "sessions"
            place.rename(away)
            place.symlink_to(away)
            try:
                watcher.look()
                await until(lambda: failed)
            finally:
                place.unlink()
                away.rename(place)
            session_id = records.add()
            watcher.look()
            kind, said = await listener.event() or ("", {})
            assert (kind, said["session_id"]) == ("session", session_id)

    async def test_does_not_end_the_stream_of_another(self, page: Page, records: Records) -> None:
        session_id = records.add("starting")
        async with page() as one, page() as two:
            await one.event()
            await two.event()
            one.leave()
            records.say(session_id, "running")
            assert await two.statuses(session_id, "running") == ["running"]

    async def test_watching_starts_again_for_the_next(
        self, page: Page, records: Records, watcher: Watcher
    ) -> None:
        session_id = records.add("starting")
        async with page() as one:
            await one.event()
        await until(lambda: watcher._task and watcher._task.done())
        async with page() as two:
            await two.event()
            records.say(session_id, "running")
            assert await two.statuses(session_id, "running") == ["running"]


class TestTheStreamEnds:
    async def test_when_more_changed_than_is_kept_for_a_page(
        self, page: Page, records: Records
    ) -> None:
        async with page() as listener:
            await listener.event()
            for _ in range(300):
                records.add()
            event = await listener.event()
            while event is not None:  # what was sent before is whole; then the page comes again
                assert event[0] == "session"
                event = await listener.event()
        async with page() as again:
            kind, data = await again.event()
            assert (kind, len(data["sessions"])) == ("sessions", 300)

    async def test_when_the_server_stops(
        self, page: Page, jp_serverapp: ServerApp, records: Records
    ) -> None:
        records.add()
        async with page() as one, page() as two:
            for listener in (one, two):
                await listener.event()
            await jp_serverapp.extension_manager.stop_all_extensions()
            for listener in (one, two):
                assert await listener.event() is None


async def test_events_need_a_login(call: Call) -> None:
    answer: Answer = await call("GET", "/api/moonlight/events", login=False)
    assert (answer.status, answer.code) == (403, "forbidden")
