"""A session that a portal launched tells it how it is; whatever becomes of that, it starts and ends."""

from __future__ import annotations

import os
import signal

from tests.cluster.processes import shown
from tests.cluster.users import TestUser
from tests.support.told import Told
from tests.support.waiting import wait_for

from .conftest import Launch
from .sessions import AgentSession, prepare

_X_SERVERS = ("Xorg", "Xvfb")


def launched(launch: Launch, user: TestUser, portal: Told, **options: object) -> AgentSession:
    directory = prepare(user)
    path = directory / "callback.json"
    path.write_text(portal.callback(directory.name).model_dump_json())
    path.chmod(0o600)
    os.chown(path, user.uid, user.gid)
    session: AgentSession = launch(directory=directory, **options)
    return session


def test_a_start_the_portal_missed_and_an_end_it_heard(launch: Launch, user: TestUser) -> None:
    with Told(answer=502) as portal:
        session = launched(launch, user, portal)
        wait_for(lambda: portal.asked)
        session.wait(lambda s: s.steps[2].started_at)
        portal.answer = 204
        session.wait_running()
        wait_for(lambda: portal.statuses and portal.statuses[-1].phase == "running")
        assert portal.statuses[-1].gateway == session.status.gateway
        secret = portal.heads[0]["authorization"].removeprefix("Bearer ").encode()
        for pid in session.processes():
            for name in ("cmdline", "environ"):
                assert secret not in shown(pid, name), session.processes()
        session.ask_to_stop()
        assert session.wait_exit() == 0
        heard = [status.sequence for status in portal.statuses]
        assert heard == sorted(heard) and heard[0] > 1, "the newest alone"
        assert portal.statuses[-1] == session.status
        assert session.status.end and session.status.end.code == "StoppedByUser"
        log = session.log()
        assert log.count("the portal cannot be told") == log.count("can be told again") == 1
        assert secret.decode() not in log
    session.assert_nothing_left()


def test_the_guardian_has_the_last_word_of_an_agent_that_was_killed(
    launch: Launch, user: TestUser
) -> None:
    with Told() as portal:
        session = launched(launch, user, portal)
        session.wait(lambda s: s.steps[1].started_at)
        session.agent.signal(signal.SIGKILL)
        session.wait_exit()
        end = portal.statuses[-1].end
        assert end and end.code == "AgentKilled"


def test_a_portal_that_never_answers_holds_nothing_up(launch: Launch, user: TestUser) -> None:
    with Told(answer=None) as portal:
        session = launched(launch, user, portal, hidden=_X_SERVERS)
        assert session.wait_exit() == 1
        end = session.status.end
        assert end and end.code == "XServerFailed"
        # The agent's first word, which hangs still, and the guardian's last one.
        assert 2 <= portal.asked < session.status.sequence
    session.assert_nothing_left()
