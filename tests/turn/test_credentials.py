"""Our credentials at a real coturn: what it takes, until when, and what it refuses."""

from __future__ import annotations

import time

import pytest
from moonlight_spawner.model.records import SunshineOptions
from moonlight_spawner.sessions.turn import turn_credentials

from tests.support.waiting import wait_until
from tests.turn.coturn import Coturn
from tests.turn.gathering import Gather

SESSION = "ml-alice-4k7q2mzj5a"


def options(turn: Coturn, username: str, credential: str) -> SunshineOptions:
    return SunshineOptions(
        webrtc=True, turn_uris=turn.uris, turn_username=username, turn_credential=credential
    )


def test_a_browser_gets_a_relayed_candidate_by_udp_and_by_tcp(turn: Coturn, gather: Gather) -> None:
    credentials = turn_credentials(turn.secret, SESSION, 600)
    assert gather(options(turn, *credentials)) == turn.accepted


def test_credentials_that_ended_a_minute_ago_are_refused(turn: Coturn, gather: Gather) -> None:
    credentials = turn_credentials(turn.secret, SESSION, -60)
    assert gather(options(turn, *credentials)) == turn.refused


def test_credentials_are_taken_until_they_end_and_refused_afterwards(
    turn: Coturn, gather: Gather
) -> None:
    # On a machine that is too busy for a short life, a longer one.
    for seconds in (3, 12, 48):
        username, credential = turn_credentials(turn.secret, SESSION, seconds)
        before = gather(options(turn, username, credential))
        if before == turn.accepted:
            break
    assert before == turn.accepted
    end = int(username.partition(":")[0])
    # The last second still counts.
    assert wait_until(lambda: time.time() >= end + 1)
    assert gather(options(turn, username, credential)) == turn.refused


def test_credentials_made_with_another_secret_are_refused(turn: Coturn, gather: Gather) -> None:
    credentials = turn_credentials("another secret", SESSION, 600)
    assert gather(options(turn, *credentials)) == turn.refused


@pytest.mark.parametrize("part", ["end", "session"])
def test_a_changed_user_name_is_refused(turn: Coturn, gather: Gather, part: str) -> None:
    username, credential = turn_credentials(turn.secret, SESSION, 600)
    assert gather(options(turn, username, credential)) == turn.accepted
    end, _, session = username.partition(":")
    changed = f"{int(end) + 3600}:{session}" if part == "end" else f"{end}:ml-bob-4k7q2mzj5a"
    assert gather(options(turn, changed, credential)) == turn.refused
