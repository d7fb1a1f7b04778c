"""The desktop itself says when its time is nearly up."""

from __future__ import annotations

import json
import sys
import time

from tests.cluster.users import TestUser, run_as
from tests.support.reachable import reachable
from tests.support.waiting import wait_for

from .conftest import Launch
from .sessions import AgentSession, prepare

_COLOURS = [0x10131F, 0xFFFFFF]


def look(session: AgentSession, *click: str) -> dict[str, object]:
    argv = [sys.executable, "-m", "tests.agent.notice_seen", *click]
    env = session.desktop_environment()
    done = run_as(session.user, argv, env=env, cwd=reachable(), check=True)
    return dict(json.loads(done.stdout))


def see_letters(session: AgentSession) -> dict[str, object]:
    """What is seen of the notice once it can be read: it is there before it is drawn, and what the
    desktop opens meanwhile lies above it for a moment."""

    def seen() -> dict[str, object]:
        found = look(session)
        return found if found.get("colours") == _COLOURS and found["above"] else {}

    return wait_for(seen, interval=0.2)


def test_a_window_says_that_few_minutes_are_left_and_goes_at_a_click(
    launch: Launch, user: TestUser
) -> None:
    # Five, of which the rest is for the start and for what follows.
    directory = prepare(user)
    ends = int(time.time()) + 20 + 5 * 60 + 5
    session = launch(job={"SLURM_JOB_END_TIME": str(ends)}, directory=directory)
    session.wait_running()
    seen = see_letters(session)
    assert not seen["focus"], "over everything, without the keyboard"
    look(session, "click")
    wait_for(lambda: not look(session)["there"], interval=0.2)
