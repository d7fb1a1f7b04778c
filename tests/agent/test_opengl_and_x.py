"""What OpenGL draws with, another X server, and devices that a program must not see."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from moonlight_spawner.agent.node import uinput

from tests.cluster.users import TestUser, run_as

from .conftest import Launch
from .sessions import settings

DUMMY = """
Section "Device"
  Identifier "card"
  Driver "dummy"
  VideoRam 65536
EndSection
Section "Monitor"
  Identifier "monitor"
  HorizSync 5-1000
  VertRefresh 5-200
EndSection
Section "Screen"
  Identifier "screen"
  Device "card"
  Monitor "monitor"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Virtual 1024 768
  EndSubSection
EndSection
"""


@pytest.fixture
def xorg_config(user: TestUser) -> Iterator[Path]:
    """A screen without a card, for the real Xorg."""
    path = user.home / "xorg.conf"
    path.write_text(DUMMY)
    path.chmod(0o644)
    yield path
    path.unlink()


def test_a_site_may_run_another_x_server(launch: Launch, user: TestUser, xorg_config: Path) -> None:
    command = ["Xorg", "-config", str(xorg_config), "-novtswitch", "-sharevts"]
    session = launch(env=settings(user, x_server_command=json.dumps(command)))
    status = session.wait_running()
    arguments = session.processes()[session.find("Xorg")].split()
    assert f":{status.display_num}" in arguments and "-auth" in arguments
    assert arguments[arguments.index("-nolisten") + 1] == "tcp"
    assert len(session.first_frame()) > 100
    assert not any("Xvfb" in command for command in session.processes().values())


def test_an_x_server_that_is_not_there_names_the_setting(launch: Launch, user: TestUser) -> None:
    session = launch(env=settings(user, x_server_command='["/usr/bin/no-such-xorg"]'))
    assert session.wait_exit() == 1
    end = session.status.end
    assert end and "no-such-xorg cannot be run" in end.reason and "x_server_command" in end.reason


def test_the_renderer_is_unknown_where_nothing_can_ask_for_it(launch: Launch) -> None:
    status = launch(hidden=["glxinfo"]).wait_running()
    assert status.gl_renderer is None
    assert "OpenGL programs draw with the CPU: the job has no GPU." in status.notes


def test_a_gpu_that_was_asked_for_and_is_not_seen_is_told_as_that(
    launch: Launch, user: TestUser
) -> None:
    env = settings(user, gpus="1", max_gpus="1")
    status = launch(hidden=["glxinfo", "nvidia-smi"], env=env).wait_running()
    asked = "OpenGL programs draw with the CPU: 1 GPU was asked for, and nvidia-smi shows none."
    assert asked in status.notes


@pytest.fixture
def device(user: TestUser) -> Iterator[Path]:
    """A device that every user may write to, as /dev/uinput is on some nodes."""
    path = user.home / "uinput"
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 7))  # that of /dev/full: writing fails
    path.chmod(0o666)
    yield path
    path.unlink()


WRITE = "import os, sys; print(os.getuid()); os.write(os.open(sys.argv[1], os.O_WRONLY), b'x')"


def test_a_hidden_device_takes_what_is_typed_and_does_nothing(user: TestUser, device: Path) -> None:
    write = [sys.executable, "-c", WRITE, str(device)]
    assert "No space left" in run_as(user, write).stderr, "the device itself is reached"
    hidden = run_as(user, uinput.without([str(device)], write))
    assert hidden.returncode == 0, hidden.stderr
    assert hidden.stdout.strip() == str(user.uid)
    assert "No space left" in run_as(user, write).stderr, "others still see it"


def test_a_program_that_sees_no_device_keeps_its_process_and_gains_no_right(
    user: TestUser, device: Path
) -> None:
    script = "grep -E '^(CapEff|CapPrm|CapAmb)' /proc/self/status; echo pid $$"
    as_him = ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", "--"]
    process = subprocess.Popen(
        [*as_him, *uinput.without([str(device)], ["sh", "-c", script])],
        stdout=subprocess.PIPE,
        text=True,
    )
    output, _ = process.communicate()
    assert f"pid {process.pid}" in output
    rights = [line.split()[1] for line in output.splitlines() if line.startswith("Cap")]
    assert rights == ["0" * 16] * 3


def test_where_it_cannot_be_hidden_the_program_does_not_run(user: TestUser, device: Path) -> None:
    command = uinput.without([str(device), "/nonexistent/uhid"], ["echo", "it ran"])
    done = run_as(user, command)
    assert done.returncode != 0 and "it ran" not in done.stdout
    assert "What you type would go to the node's own devices" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_wrapped_where_nothing_is_open() -> None:
    assert uinput.without([], ["sunshine", "x.conf"]) == ["sunshine", "x.conf"]
