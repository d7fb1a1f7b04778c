"""The user of a desktop that nobody uses is told on it, and no more when somebody opens it.

That it ends is in tests/slurm/test_report.py, and that a page keeps it in tests/browser.
"""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.users import TestUser
from tests.support.waiting import wait_until

from .conftest import Launch
from .sessions import settings
from .test_time_left import look, see_letters


def test_it_is_told_on_the_desktop_until_somebody_opens_it(user: TestUser, launch: Launch) -> None:
    # What is computed is decided in tests/unit; the machine may be busy with other tests.
    # Three quarters of its time are the warning, in which all this is done.
    minutes = {"idle_minutes": "1", "idle_ends_busy": "1"}
    session = launch(env=settings(user, **minutes))
    status = session.wait_running()
    assert status.idle_minutes == 1

    def told(says: bool) -> bool:
        return wait_until(lambda: (session.status.idle_ends_at is not None) is says, interval=0.05)

    def ask(method: str, path: str) -> dict[str, Any]:
        answer = session.ask(f"/control{path}", session.token, method=method)
        assert answer.status == 200, answer
        return dict(json.loads(answer.body))

    assert told(True), session.log()
    assert ask("GET", "/status")["idle_ends_at"]
    see_letters(session)  # its sentence and its clock
    assert session.ask("/control/keep", method="POST").status == 401
    session.first_frame()
    assert told(False), "somebody has opened it"
    assert wait_until(lambda: not look(session)["there"], interval=0.1)
    assert ask("POST", "/keep") == {"idle_minutes": 1, "idle_ends_at": None}
