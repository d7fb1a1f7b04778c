"""A session that runs longer than its TURN credentials gets others, with what the portal answers it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from moonlight_jupyter.portal import callback as handling
from moonlight_spawner.agent.callback import News
from moonlight_spawner.agent.hosts.selkies import SelkiesHost
from moonlight_spawner.model.records import (
    AgentStatus,
    Callback,
    SunshineOptions,
    TurnCredentials,
)
from moonlight_spawner.model.session import End, State, new_session_id, now
from moonlight_spawner.portal.callback import Callbacks, token_of
from moonlight_spawner.portal.turn import anew
from moonlight_spawner.sessions.turn import turn_credentials
from moonlight_spawner.site.options import MoonlightSite
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application

from tests.support.told import Told
from tests.support.waiting import PATIENCE, wait_for
from tests.turn.coturn import Coturn
from tests.turn.gathering import Gather

SESSION = new_session_id("alice")
HOUR = 3600


class Manager:
    """Of a portal on which SESSION is."""

    def __init__(self, site: MoonlightSite, live: bool = True):
        self.site = site
        self.heard_of: list[AgentStatus] = []
        self._session = SimpleNamespace(live=live)

    async def heard(self, user: str, session_id: str, status: AgentStatus) -> None:
        self.heard_of.append(status)

    async def get(self, user: str, session_id: str) -> Any:
        assert (user, session_id) == ("alice", SESSION)
        return self._session


def site_of(turn: Coturn, **more: Any) -> MoonlightSite:
    settings = {
        "scheduler": "slurm",
        "webrtc": True,
        "turn_uris": turn.uris,
        "turn_secret_file": str(turn.secret_file),
        "portal_callback_url": "https://portal.test",
        "max_hours": 8.0,
    }
    return MoonlightSite(**(settings | more))


def tell(
    manager: Manager, options: SunshineOptions, *statuses: AgentStatus
) -> list[TurnCredentials]:
    """What a session with these options is given when it says one after the other."""
    given: list[TurnCredentials] = []

    def take(turn: TurnCredentials) -> None:
        given.append(turn)
        options.take(turn)

    async def run() -> None:
        callbacks = Callbacks(manager.site, [b"k" * 44])
        for_alice = callbacks.given_to("alice")
        assert for_alice
        watchers = SimpleNamespace(look=lambda user: None)
        hearing = handling.Hearing(manager, watchers, callbacks)
        listening, port = bind_unused_port()
        server = HTTPServer(Application(handling.HANDLERS, moonlight_hearing=hearing))
        server.add_socket(listening)
        url = f"http://127.0.0.1:{port}/api/moonlight/callback/{SESSION}"
        try:
            for status in statuses:
                news = News(Callback(url=url, token=token_of(for_alice["seed"], SESSION)))
                news.renew(lambda: options.turn_username, take)
                news.tell(status)
                assert await asyncio.to_thread(news.end, PATIENCE)
        finally:
            server.stop()
            await server.close_all_connections()

    asyncio.run(run())
    assert len(manager.heard_of) == len(statuses)
    return given


def options_of(turn: Coturn, seconds: int) -> SunshineOptions:
    username, credential = turn_credentials(turn.secret, SESSION, seconds)
    return SunshineOptions(
        webrtc=True, turn_uris=turn.uris, turn_username=username, turn_credential=credential
    )


def words(*ends_at: datetime | None, **more: Any) -> list[AgentStatus]:
    return [AgentStatus(sequence=i + 1, ends_at=end, **more) for i, end in enumerate(ends_at)]


def test_a_session_that_was_given_more_time_has_credentials_for_that_too(
    turn: Coturn, gather: Gather
) -> None:
    options = options_of(turn, -60)
    assert gather(options) == turn.refused
    end = now() + timedelta(hours=3)
    given = tell(Manager(site_of(turn)), options, *words(end, end))
    assert len(given) == 1, "once is enough"
    assert gather(options) == turn.accepted
    until, _, name = given[0].username.partition(":")
    assert name == "ml-alice" and int(until) >= end.timestamp()
    assert given[0].credential not in repr(given[0]) + repr(options)


NOT_GIVEN: dict[str, Callable[[Coturn], tuple[Manager, SunshineOptions, AgentStatus]]] = {
    "it ends before them": lambda turn: (
        Manager(site_of(turn)),
        options_of(turn, 2 * HOUR),
        *words(now() + timedelta(hours=1)),
    ),
    "they last for long": lambda turn: (
        Manager(site_of(turn)),
        options_of(turn, 13 * HOUR),
        *words(now() + timedelta(hours=100)),
    ),
    "its end is not known": lambda turn: (
        Manager(site_of(turn)),
        options_of(turn, 60),
        *words(None),
    ),
    "it has ended": lambda turn: (
        Manager(site_of(turn)),
        options_of(turn, 60),
        *words(now() + timedelta(hours=1), end=End(state=State.COMPLETED, reason="", code="Ended")),
    ),
    "the portal has it as ended": lambda turn: (
        Manager(site_of(turn), live=False),
        options_of(turn, 60),
        *words(now() + timedelta(hours=1)),
    ),
    "others may read it on the way": lambda turn: (
        Manager(site_of(turn, portal_callback_url="http://portal.test")),
        options_of(turn, 60),
        *words(now() + timedelta(hours=1)),
    ),
    "it has none": lambda turn: (
        Manager(site_of(turn)),
        SunshineOptions(webrtc=True),
        *words(now() + timedelta(hours=1)),
    ),
    "the site has none": lambda turn: (
        Manager(site_of(turn, turn_secret_file="")),
        options_of(turn, 60),
        *words(now() + timedelta(hours=1)),
    ),
}


@pytest.mark.parametrize("why", NOT_GIVEN)
def test_none_are_given_because(turn: Coturn, why: str) -> None:
    manager, options, status = NOT_GIVEN[why](turn)
    assert tell(manager, options, status) == []


def test_whatever_a_user_says_they_last_no_longer_than_those_of_the_longest_launch(
    turn: Coturn,
) -> None:
    made = anew(site_of(turn), "alice", 0.0, datetime.fromisoformat("9999-01-01T00:00:00+00:00"))
    assert made
    until = int(made.username.partition(":")[0])
    assert until <= time.time() + (8 + 24) * HOUR


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"username": "x", "credential": "y"}'])
def test_another_answer_is_told_once_and_what_is_said_is_heard(
    answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    given: list[TurnCredentials] = []
    with Told(body=answer) as portal:
        news = News(portal.callback())
        news.renew(lambda: "60:ml-a", given.append)
        for sequence in (1, 2):
            news.tell(AgentStatus(sequence=sequence))
            wait_for(lambda sequence=sequence: len(portal.statuses) == sequence)
        assert news.end(PATIENCE)
    assert not given and "moonlight-turn-until" not in portal.heads[1]
    assert [record.message for record in caplog.records] == [
        "new TURN credentials are not asked for any more: 127.0.0.1 answers something else"
    ]


def test_selkies_and_its_page_are_told_the_new_ones(tmp_path: Path) -> None:
    options = SunshineOptions(webrtc=True, turn_uris=["turn:a:1"], turn_username="1:a")
    spec = SimpleNamespace(sunshine=options)
    context = SimpleNamespace(
        spec=spec, env={}, runtime=tmp_path, log_dir=tmp_path, ahead=None, ports=1
    )
    host = SelkiesHost(cast(Any, context))
    host._webrtc()
    options.take(TurnCredentials(username="2:a", credential="new"))
    host.servers_changed()
    file, answer = tmp_path / "ice.json", host.answer("/api/turn")
    assert answer and json.loads(answer[2]) == json.loads(file.read_text())
    [server] = json.loads(file.read_text())["iceServers"]
    assert server == {"urls": ["turn:a:1"], "username": "2:a", "credential": "new"}
    assert file.stat().st_mode & 0o777 == 0o600
