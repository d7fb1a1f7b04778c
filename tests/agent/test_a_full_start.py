"""A session from its first step to its first picture, and what its owner gets from it."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import stat
import sys
from pathlib import Path

import pytest
from moonlight_spawner.agent.status import STEPS
from moonlight_spawner.model.session import StepState
from PIL import Image

from tests.cluster.users import run_as
from tests.relay.wires import ask, login
from tests.support.reachable import reachable
from tests.support.waiting import PATIENCE

from .conftest import Launch
from .sessions import AgentSession

pytestmark = pytest.mark.usefixtures("whole_desktop")


def test_all_steps_are_done_in_their_order(running: AgentSession) -> None:
    status = running.status
    assert [step.id for step in status.steps] == list(STEPS)
    assert {step.state for step in status.steps} == {StepState.DONE}
    times = [(step.started_at, step.ended_at) for step in status.steps]
    assert all(start and end and start <= end for start, end in times)
    starts = [start for start, _ in times]
    assert starts == sorted(starts), "the desktop and the stream start together"
    detail = {step.id: step.detail for step in status.steps}
    assert detail["xserver"] == "1024x768"
    assert detail["desktop"] == "XFCE"
    assert "264" in detail["picture"], "the encoder that is really used"
    assert detail["claim"].startswith(f"display :{status.display_num}, ports from")
    assert len(status.notes) == 1 and "OpenGL programs draw with the CPU" in status.notes[0]
    assert status.gl_renderer and status.gl_renderer.startswith("llvmpipe")
    assert status.encoder == detail["picture"]
    assert status.audio is True and status.clipboard == "both" and status.end is None


def test_the_gateway_is_where_it_says(running: AgentSession) -> None:
    status = running.status
    assert status.gateway and status.gateway.hosts == ["127.0.0.1"]
    assert status.node == os.uname().nodename
    with socket.create_connection(("127.0.0.1", status.gateway.port), PATIENCE):
        pass


def test_who_comes_right_behind_another_is_let_in(running: AgentSession) -> None:
    """All come to selkies by one socket: by itself it refuses the second within half a second."""
    for _ in range(2):
        assert running.first_frame()


COMES_BY_THE_SOCKET = """
import asyncio, pathlib, sys
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.relay.upstream import call
from moonlight_spawner.sessions.reach import near_target
record = AgentStatus.model_validate_json(pathlib.Path(sys.argv[1], "status.json").read_bytes()).gateway
record.port = 1  # nobody listens there
target = near_target(record, pathlib.Path(sys.argv[1], "token").read_bytes().strip())
print(*asyncio.run(call(target, "GET", "/healthz", target.headers)))
"""


def test_its_owner_reaches_the_gateway_by_a_socket_from_this_machine(running: AgentSession) -> None:
    argv = [sys.executable, "-c", COMES_BY_THE_SOCKET, str(running.directory)]
    done = run_as(running.user, argv, cwd=reachable(), check=True)
    assert done.stdout.startswith("""200 b'{"status": "ok",""")
    assert running.status.gateway
    info = Path(running.status.gateway.socket).stat()
    assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (running.user.uid, 0o600)


WITHOUT_UVLOOP = """
import sys
sys.modules["uvloop"] = None
from moonlight_spawner.cli.main import main
sys.exit(main(["agent", sys.argv[1]]))
"""


def test_it_needs_no_uvloop(running: AgentSession, launch: Launch) -> None:
    assert "/uvloop/" in Path(f"/proc/{running.agent.pid}/maps").read_text()
    session = launch(argv=[sys.executable, "-c", WITHOUT_UVLOOP])
    session.wait_running()
    assert "/uvloop/" not in Path(f"/proc/{session.agent.pid}/maps").read_text()
    assert len(session.first_frame()) > 100
    session.process.terminate()
    assert session.wait_exit() == 0
    assert not session.processes()


def test_the_owner_gets_page_health_and_picture(running: AgentSession) -> None:
    page = running.ask("/", running.token, "Accept: text/html\r\n")
    assert page.status == 200 and b"<html" in page.body.lower()
    assert json.loads(running.ask("/healthz", running.token).body) == {
        "status": "ok",
        "restarts": 0,
        "pausing": False,
        "waiting": 0,
    }
    assert len(running.first_frame()) > 100


def test_the_token_becomes_a_cookie_that_opens_the_page(running: AgentSession) -> None:
    answer = login(running.gateway, running.token, tls=True)
    assert answer.status == 303
    cookie = answer.header("set-cookie")
    assert "Secure" in cookie and "HttpOnly" in cookie
    more = f"Cookie: {cookie.split(';')[0]}\r\n"
    assert running.ask("/", None, more).status == 200
    assert running.ask("/", None).status == 401


def test_the_screen_has_the_size_that_was_asked_for(running: AgentSession) -> None:
    done = run_as(running.user, ["xdpyinfo"], env=running.desktop_environment(), check=True)
    assert "dimensions:    1024x768 pixels" in done.stdout


def test_the_hosts_own_controls_are_for_the_portal_and_not_for_a_page(
    running: AgentSession,
) -> None:
    cookie = login(running.gateway, running.token, tls=True).header("set-cookie").split(";")[0]
    assert running.ask("/control/x", None, f"Cookie: {cookie}\r\n").status == 403
    assert running.ask("/control/x", running.token).status == 404, "selkies has none"


def test_the_clipboard_is_for_the_portal_and_not_for_a_page(running: AgentSession) -> None:
    cookie = login(running.gateway, running.token, tls=True).header("set-cookie").split(";")[0]
    portal = f"Authorization: Bearer {running.token}\r\n"

    def put(text: str, who: str) -> int:
        body = json.dumps({"text": text}).encode()
        head = f"PUT /control/clipboard HTTP/1.1\r\nHost: portal\r\n{who}"
        head += f"Content-Length: {len(body)}\r\n"
        return ask(running.gateway, head, body, tls=True).status

    assert put("of the portal", portal) == 200
    for who, status in ((f"Cookie: {cookie}\r\n", 403), ("", 401)):
        assert put("of a page", who) == status
        answer = running.ask("/control/clipboard", None, who)
        assert answer.status == status and b"of the portal" not in answer.body
    answer = running.ask("/control/clipboard", running.token)
    assert answer.header("cache-control") == "no-store"
    assert json.loads(answer.body) == {"text": "of the portal", "truncated": False}
    assert running.ask("/control/clipboard", running.token, method="POST").status == 405
    paste = ["xclip", "-selection", "clipboard", "-out"]
    pasted = run_as(running.user, paste, env=running.desktop_environment(), check=True)
    assert pasted.stdout == "of the portal"


def test_the_picture_is_for_the_portal_and_not_for_a_page(running: AgentSession) -> None:
    cookie = login(running.gateway, running.token, tls=True).header("set-cookie").split(";")[0]
    for who, status in ((f"Cookie: {cookie}\r\n", 403), ("", 401)):
        answer = running.ask("/control/picture", None, who)
        assert answer.status == status and b"jpeg" not in answer.body
    answer = running.ask("/control/picture", running.token)
    assert (answer.status, answer.header("cache-control")) == (200, "no-store")
    with Image.open(io.BytesIO(base64.b64decode(json.loads(answer.body)["jpeg"]))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (400, 300))


def test_a_real_desktop_runs_for_its_user_in_its_home(running: AgentSession) -> None:
    for name in ("xfce4-session", "xfwm4", "xfce4-panel", "dbus-daemon", "Xvfb"):
        pid = running.find(name)
        assert os.stat(f"/proc/{pid}").st_uid == running.user.uid, name
    pid = running.find("xfce4-session")
    assert os.readlink(f"/proc/{pid}/cwd") == str(running.user.home)
