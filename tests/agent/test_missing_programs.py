"""Nodes that lack something: the step fails with a sentence that says what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import moonlight_spawner
import pytest
from moonlight_spawner.agent.node.claims import claim_display
from moonlight_spawner.model.records import AgentStatus
from moonlight_spawner.model.session import State, StepState

from tests.cluster.users import TestUser
from tests.support.waiting import wait_until

from .conftest import Launch
from .sessions import AgentSession, Ranges, settings

WINDOW_MANAGERS = ("xfce4-session", "xfwm4", "openbox", "icewm", "fluxbox", "mwm", "twm")


@pytest.fixture
def bare_python() -> Iterator[Path]:
    """A Python that has all that the agent needs, but beside it no selkies."""
    with tempfile.TemporaryDirectory(prefix="mlt-venv-", dir="/var/tmp") as name:
        os.chmod(name, 0o755)
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", "--symlinks", name], check=True
        )
        (packages,) = Path(name).glob("lib/python3*/site-packages")
        mine = [Path(moonlight_spawner.__file__).parents[1], Path(pytest.__file__).parents[1]]
        (packages / "all.pth").write_text("".join(f"{path}\n" for path in mine))
        yield Path(name, "bin", "python")


def failed_step(session: AgentSession, step: str) -> AgentStatus:
    """The status of a session whose start failed at that step, in words and without leftovers."""
    assert session.wait_exit() == 1
    status = session.status
    states = {s.id: s.state for s in status.steps}
    assert states[step] is StepState.FAILED, session.log()
    ids = list(states)
    if step in ("host", "picture"):  # the desktop is started beside them
        assert states.pop("desktop") in (StepState.DONE, StepState.WAITING)
        ids.remove("desktop")
    assert {states[i] for i in ids[: ids.index(step)]} <= {StepState.DONE}
    assert {states[i] for i in ids[ids.index(step) + 1 :]} <= {StepState.WAITING}
    assert status.end and status.end.state is State.FAILED
    assert next(s.detail for s in status.steps if s.id == step) == status.end.reason
    assert "Traceback" not in status.end.reason and "Errno" not in status.end.reason
    session.assert_nothing_left()
    return status


@pytest.mark.parametrize(
    "hidden, step, words",
    [
        (["Xvfb"], "xserver", ["Xvfb cannot be run", "xvfb", "xorg-x11-server-Xvfb"]),
        (["dbus-daemon"], "desktop", ["dbus-daemon", "install it (package dbus)"]),
        (WINDOW_MANAGERS, "desktop", ["No desktop is installed", "xfce4-session xfwm4"]),
    ],
    ids=["X server", "D-Bus", "desktop"],
)
def test_a_program_is_not_installed(
    launch: Launch, hidden: list[str], step: str, words: list[str]
) -> None:
    status = failed_step(launch(hidden=hidden), step)
    assert status.end
    for word in words:
        assert word in status.end.reason
    if step == "desktop" and "D-Bus" not in status.end.reason:
        assert os.uname().nodename in status.end.reason


def test_without_xfce_a_plain_window_manager_does(launch: Launch) -> None:
    session = launch(hidden=["xfce4-session", "xfce4-terminal"])
    status = session.wait_running()
    assert next(s.detail for s in status.steps if s.id == "desktop") == "openbox"
    terminal = "/usr/bin/xterm -e "  # and the desktop's shell
    assert wait_until(lambda: any(c.startswith(terminal) for c in session.processes().values()))
    assert len(session.first_frame()) > 100


def test_an_image_needs_apptainer(launch: Launch, user: TestUser) -> None:
    env = settings(user)
    image = Path(env["MOONLIGHT_HPC_IMAGES_DIR"], "sunshine_desktop.sif")
    image.parent.mkdir(exist_ok=True)
    image.write_bytes(b"SIF")
    try:
        session = launch(env=env, body={"image": "desktop"}, hidden=["apptainer", "singularity"])
        status = failed_step(session, "desktop")
    finally:
        shutil.rmtree(image.parent)
    assert status.end and status.end.code == "NoApptainer"
    assert str(image) in status.end.reason and "needs Apptainer" in status.end.reason


def test_selkies_is_not_installed(launch: Launch, bare_python: Path) -> None:
    session = launch(argv=[str(bare_python), "-m", "moonlight_spawner", "agent"])
    status = failed_step(session, "host")
    assert status.end and status.end.code == "HostFailed"
    assert "selkies is not installed" in status.end.reason
    assert "pip install 'moonlight-hpc[selkies]'" in status.end.reason


# The start waits a minute and a half for a picture that does not come; a test need not.
HASTY = """
import sys
import moonlight_spawner.agent.hosts.selkies as selkies
from moonlight_spawner.cli.main import main
assert selkies._PICTURE_SECONDS
selkies._PICTURE_SECONDS = 6.0
sys.exit(main(["agent", sys.argv[1]]))
"""


def test_a_library_of_the_stream_is_missing(launch: Launch, bare_python: Path) -> None:
    """selkies starts without pixelflux and only warns: the picture is what never comes."""
    program = bare_python.parent / "selkies"
    program.write_text(f"#!{bare_python}\nimport sys\nfrom selkies.__main__ import main\nmain()\n")
    program.chmod(0o755)
    (packages,) = bare_python.parents[1].glob("lib/python3*/site-packages")
    (packages / "pixelflux.py").write_text(
        'raise ImportError("libgbm.so.1: cannot open shared object file: No such file")\n'
    )
    session = launch(argv=[str(bare_python), "-c", HASTY])
    status = failed_step(session, "picture")
    assert status.end and status.end.code == "HostFailed"
    assert "no picture" in status.end.reason
    assert "libgbm1" in status.end.reason


def test_a_stream_that_ends_at_once_says_why(launch: Launch, bare_python: Path) -> None:
    program = bare_python.parent / "selkies"
    program.write_text("#!/bin/sh\necho 'my own reason' >&2\nexit 3\n")
    program.chmod(0o755)
    session = launch(argv=[str(bare_python), "-m", "moonlight_spawner", "agent"])
    status = failed_step(session, "host")
    assert status.end and "ended at once" in status.end.reason
    assert "my own reason" in status.end.reason


def test_no_display_is_left(launch: Launch, user: TestUser) -> None:
    ranges = Ranges(displays=1)
    claim = claim_display(ranges.display, ranges.display)
    try:
        status = failed_step(launch(env=settings(user, ranges)), "claim")
    finally:
        claim.release()
    assert status.end and status.end.code == "NothingFree"
    assert f"all of :{ranges.display} to :{ranges.display} are taken" in status.end.reason


def test_an_address_that_the_node_does_not_have(launch: Launch, user: TestUser) -> None:
    session = launch(env=settings(user, gateway_address="203.0.113.0/24"))
    assert session.wait_exit() == 1
    end = session.status.end
    assert end and end.code == "NoSuchAddress"
    assert "203.0.113.0/24" in end.reason and os.uname().nodename in end.reason
    session.assert_nothing_left()
