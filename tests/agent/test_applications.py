"""One program in the place of a desktop, on the node and in an image: its end is the session's."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

from moonlight_spawner.model.sentences import Said
from moonlight_spawner.model.session import State

from tests.cluster.processes import Process
from tests.cluster.users import TestUser, run_as
from tests.support.waiting import wait_for

from .conftest import Launch
from .nodes import a_node
from .sessions import AgentSession, settings

OWN = Path(__file__).resolve().parents[2] / "image_defs/files/moonlight-desktop"


def fills_the_screen(session: AgentSession) -> bool:
    """Whether xterm's window has nearly all of the screen of 1024x768, as its own X client sees it."""
    environment = {k: session.desktop_environment()[k] for k in ("DISPLAY", "XAUTHORITY", "PATH")}
    done = run_as(session.user, ["xwininfo", "-root", "-tree"], env=environment)
    found = re.search(r'"xterm" "XTerm"\)\s+(\d+)x(\d+)\+', done.stdout)
    # Its title is above it, and it has whole lines only.
    return found is not None and int(found[1]) > 1000 and int(found[2]) > 700


def test_a_program_of_the_node_fills_the_screen_and_ends_the_session(
    launch: Launch, user: TestUser
) -> None:
    done = user.home / "done"
    script = f"until [ -e {done} ]; do sleep 0.05; done"
    program = {"name": "Editor", "command": ["xterm", "-e", "sh", "-c", script]}
    env = settings(user, applications=json.dumps({"editor": program}))
    session = launch(env=env, body={"image": "editor"})
    status = session.wait_running()
    assert {s.id: s.detail for s in status.steps}["desktop"] == "xterm"
    assert not session_has(session, "xfce4-session")
    wait_for(lambda: fills_the_screen(session))
    Process.of(session.find("openbox")).signal(signal.SIGKILL)
    assert has_said(session, "WindowManagerAgain") and fills_the_screen(session)
    run_as(user, ["touch", str(done)], check=True)
    assert session.wait_exit() == 0
    end = session.status.end
    assert end and (end.state, end.code) == (State.COMPLETED, "ApplicationEnded")
    session.assert_nothing_left()


def has_said(session: AgentSession, code: str) -> bool:
    """It comes; the other reason to stop waiting is the session's end."""
    status = session.wait(lambda s: any(Said.of(note).code == code for note in s.notes))
    return status.end is None


def session_has(session: AgentSession, program: str) -> bool:
    return any(program in command for command in session.processes().values())


def test_one_of_an_image_is_not_started_again_when_it_crashes(
    launch: Launch, user: TestUser
) -> None:
    with a_node() as node:
        node.add_apptainer()
        (node.directory / "start").write_text(OWN.read_text())
        (node.directory / "start").chmod(0o755)
        programs = {
            "moonlight-desktop": f'exec {node.directory}/start "$@"',
            "solver": "echo out of licences; exec xterm",
        }
        images = node.add_image("desktop", programs)
        solver = {"name": "Solver", "command": ["solver", "a b"], "image": "desktop"}
        env = settings(
            user,
            images_dir=str(images),
            streaming_host="selkies",
            applications=json.dumps({"solver": solver}),
        )
        session = launch(env=env, body={"image": "solver", "gpus": 0}, job=node.job)
        session.wait_running()
        # Beside it, what OpenGL draws with is asked for.
        calls = [call["argv"][-3:] for call in node.calls()]
        assert calls.count(["/usr/local/bin/moonlight-desktop", "solver", "a b"]) == 1
        wait_for(lambda: fills_the_screen(session))
        Process.of(session.find("openbox")).signal(signal.SIGKILL)
        assert has_said(session, "WindowManagerGone")
        os.kill(session.find("xterm"), signal.SIGKILL)
        assert session.wait_exit() == 1
    end = session.status.end
    assert end and (end.state, end.code) == (State.FAILED, "ApplicationFailed")
    # As a shell says signal 9, which is how its D-Bus's program ends.
    assert end.reason.startswith("The application solver ended (exit status 137)")
    assert "out of licences" in end.reason
