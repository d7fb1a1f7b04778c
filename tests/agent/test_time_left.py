"""The desktop itself says when its time is nearly up."""

from __future__ import annotations

import json
import sys
import time

from tests.cluster.users import run_as
from tests.support.reachable import reachable
from tests.support.waiting import wait_until

from .conftest import Launch
from .sessions import AgentSession


def look(session: AgentSession, *click: str) -> dict[str, object]:
    argv = [sys.executable, "-m", "tests.agent.notice_seen", *click]
    env = session.desktop_environment()
    done = run_as(session.user, argv, env=env, cwd=reachable(), check=True)
    return dict(json.loads(done.stdout))


def test_a_window_says_that_one_minute_is_left_and_goes_at_a_click(launch: Launch) -> None:
    session = launch(job={"SLURM_JOB_END_TIME": str(int(time.time()) + 20 + 75)})
    session.wait_running()
    assert wait_until(lambda: look(session)["there"], interval=0.2), session.log()
    seen = look(session)
    assert seen["colours"] == [0x10131F, 0xFFFFFF], "letters can be read"
    assert seen["above"] and not seen["focus"], "over everything, without the keyboard"
    look(session, "click")
    assert wait_until(lambda: not look(session)["there"], interval=0.2)
