"""What a session leaves on its node is nothing: /tmp, /dev/shm and shared memory before and after."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.cluster.users import TestUser, run_as
from tests.support.waiting import wait_for

from .conftest import Launch
from .sessions import AgentSession, settings

PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/run/user", "/run/lock")


def traces(user: TestUser) -> set[str]:
    """Everything of the user's outside his home, and his shared memory (sysvipc(7))."""
    found = set()
    for top in PLACES:
        for directory, names, files in os.walk(top):
            for name in (*names, *files):
                path = Path(directory, name)
                try:
                    if path.lstat().st_uid == user.uid:
                        found.add(str(path))
                except FileNotFoundError:
                    continue
    for kind in ("shm", "sem", "msg"):
        columns, *rows = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
        at = columns.split().index("uid")
        found |= {f"{kind} {row.split()[1]}" for row in rows if row.split()[at] == str(user.uid)}
    return found


def use(session: AgentSession) -> set[str]:
    """A session that is looked at, with a program that writes where it is told to; its traces."""
    session.wait_running()
    assert session.first_frame()
    environment = session.desktop_environment()
    script = 'd=$(mktemp -d) && touch "$d/kept" && chmod 500 "$d" && mktemp'
    run_as(session.user, ["sh", "-c", script], env={"TMPDIR": environment["TMPDIR"]}, check=True)
    return traces(session.user)


def test_a_session_that_ends_in_order_leaves_nothing(launch: Launch, user: TestUser) -> None:
    before = traces(user)
    session = launch()
    during = use(session)
    runtime = {
        Path(path).parts[2] for path in during - before if path.startswith("/tmp/moonlight-")
    }
    assert len(runtime) == 1
    outside = {path for path in during - before if not path.startswith("/tmp/moonlight-")}
    display = session.status.display_num
    expected = [f"/tmp/.X{display}-lock", f"/tmp/.X11-unix/X{display}", "/tmp/.ICE-unix/"]
    expected += ["/tmp/ssh-", "shm "]  # XFCE's ssh-agent knows no other place
    assert not [path for path in outside if not path.startswith(tuple(expected))]
    session.ask_to_stop()
    assert session.wait_exit() == 0
    assert traces(user) <= before


def test_what_a_killed_session_leaves_is_removed_by_the_next(
    launch: Launch, user: TestUser
) -> None:
    before = traces(user)
    killed = launch()
    use(killed)
    guardian, agent = killed.guardian, killed.agent
    guardian.signal(signal.SIGSTOP)  # else it would clean up in the moment between the two
    agent.signal(signal.SIGKILL)
    guardian.signal(signal.SIGKILL)
    wait_for(lambda: not agent.alive())
    killed.close()
    wait_for(lambda: not killed.processes())
    left = traces(user) - before
    assert any(path.startswith("/tmp/moonlight-") for path in left), left
    following = launch(env=settings(user))
    following.wait_running()
    assert not (traces(user) & left), "the next start sweeps"
    following.ask_to_stop()
    assert following.wait_exit() == 0
    assert traces(user) <= before
