"""Real desktops where the site, its modules or somebody's `sudo` have been at work before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.processes import shown
from tests.cluster.users import TestUser, as_user, ensure_users, remove_users, unique_names
from tests.support.reachable import no_gpu
from tests.support.waiting import PATIENCE, wait_for

from .conftest import Launch
from .desks import LocalDesk
from .sessions import DeskSession, prepare, settings, start_agent

# The programs that a desktop consists of, as a module of the site may bring others of.
_PROGRAMS = ("dbus-daemon", "xfce4-session", "xfwm4", "xfconfd", "Xvfb", "pulseaudio", "setxkbmap")
_LIBRARIES = ("libX11.so.6", "libglib-2.0.so.0", "libpixman-1.so.0", "libstdc++.so.6", "libssl.so.3",
              "libz.so.1", "libffi.so.8")  # fmt: skip


@pytest.fixture(scope="module")
def module() -> Iterator[Path]:
    """A module of another world: each of its programs and libraries is the end of who takes it."""
    with tempfile.TemporaryDirectory(prefix="mlt-module-", dir="/var/tmp") as name:
        root = Path(name)
        for directory in (root / "bin", root / "lib", root / "python/pydantic"):
            directory.mkdir(parents=True)
        for program in _PROGRAMS:
            path = root / "bin" / program
            path.write_text("#!/bin/sh\necho broken by a module >&2\nexit 127\n")
            path.chmod(0o755)
        source = root / "nothing.c"
        source.write_text("int nothing;\n")
        for library in _LIBRARIES:
            argv = ["gcc", "-shared", "-o", str(root / "lib" / library), str(source)]
            subprocess.run(argv, check=True)
        (root / "bin" / "science").write_text("#!/bin/sh\necho found by PATH\n")
        (root / "bin" / "science").chmod(0o755)
        (root / "python/pydantic/__init__.py").write_text("raise SystemExit('another pydantic')\n")
        for path in (root, *root.rglob("*")):
            path.chmod(0o755)
        yield root


@pytest.fixture(scope="module")
def batch_user() -> Iterator[TestUser]:
    """An account that may only run jobs, with a home where somebody used sudo; its name is odd."""
    (name,) = unique_names(1)
    name = f"DOM\\{name[4:]} 길동"
    try:
        (user,) = ensure_users([name])
        subprocess.run(["usermod", "--shell", "/usr/sbin/nologin", name], check=True)
        (user.home / ".ICEauthority").touch(0o600)  # root's
        for directory in (".config", ".config/xfce4", ".cache"):
            (user.home / directory).mkdir(0o755)
        yield user
    finally:
        remove_users([name])


def test_a_desktop_in_odd_surroundings(batch_user: TestUser, module: Path) -> None:
    user = batch_user
    site = {
        "job_environment": '{"OMP_NUM_THREADS": "4", "KRB5CCNAME": "FILE:/tmp/k", "GTK_IM_MODULE": '
        '"ibus", "HTTPS_PROXY": "http://u:pw@10.0.0.1:3128"}',
        "job_prologue": f"""
            export PATH={module}/bin:$PATH LD_LIBRARY_PATH={module}/lib LOADEDMODULES=mpi/4
            export MPI_HOME=/opt/mpi PYTHONPATH={module}/python PYTHONHOME={module}/python
            export XDG_RUNTIME_DIR=/run/user/0 DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent
            export QT_PLUGIN_PATH={module}/lib GIO_EXTRA_MODULES={module}/lib ICEAUTHORITY=/nonexistent
        """,
    }
    desk = LocalDesk(user, settings(user, **site))
    try:
        session = desk.create()
        status = session.wait_running()
        assert [s.state.value for s in status.steps] == ["done"] * len(status.steps)
        assert not any("No window manager" in note for note in status.notes), status.notes
        note = next(note for note in status.notes if "cannot be written" in note)
        assert f"{user.home}/.config" in note and "belongs to uid 0" in note
        logs = session.log("desktop") + session.log("xserver") + session.log("sound")
        assert "broken by a module" not in logs and str(module) not in logs

        # The site's words are in the desktop; what breaks it is not.
        panel = Path(f"/proc/{session.find('xfce4-panel')}/environ").read_text().split("\0")
        env = dict(entry.split("=", 1) for entry in panel if entry)
        words = {"OMP_NUM_THREADS": "4", "KRB5CCNAME": "FILE:/tmp/k", "GTK_IM_MODULE": "ibus"}
        words |= {"HTTPS_PROXY": "http://u:pw@10.0.0.1:3128", "MPI_HOME": "/opt/mpi"}
        words |= {"LOADEDMODULES": "mpi/4"}
        assert {name: env.get(name) for name in words} == words
        assert not {"LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "QT_PLUGIN_PATH"} & env.keys()
        assert env["PATH"].split(":")[-1] == f"{module}/bin"
        for part in ("Xvfb", "selkies", "dbus-daemon", "pulseaudio"):
            found = Path(f"/proc/{session.find(part)}/environ").read_text()
            assert "pw@" not in found or part == "dbus-daemon"
            assert f"LD_LIBRARY_PATH={module}" not in found, part

        # A terminal opens though the account has no shell, and has the module's.
        said = user.home / "said"
        typed = f'{{ science; env; echo "shell $0"; }} > {said}.new; mv {said}.new {said}'
        argv = ["xfce4-terminal", "--disable-server", "-x", env["SHELL"], "-c", typed]
        terminal = subprocess.Popen(
            ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", *argv],
            env=env, cwd=user.home,
        )  # fmt: skip
        try:
            wait_for(said.exists)
        finally:
            terminal.kill()
            terminal.wait()
        lines = said.read_text().splitlines()
        assert "found by PATH" in lines and "SHELL=/bin/bash" in lines
        assert {f"LD_LIBRARY_PATH={module}/lib", f"PYTHONPATH={module}/python"} <= set(lines)
        assert any(line.startswith(f"PATH={module}/bin:") for line in lines)

        assert session.directory.parent.name == f"DOM=5C{user.name[4:-3]}=20=EA=B8=B8=EB=8F=99"
    finally:
        desk.close()


def test_terminals_start_what_the_desktops_shell_is(batch_user: TestUser) -> None:
    """What a click on the terminal opens, for an account without a shell."""
    session = start_agent(batch_user, env=settings(batch_user), job={"PYTHONPATH": "/opt/p"})
    try:
        session.wait_running()
        env = session.desktop_environment()
        shell = env["SHELL"]
        assert Path(shell).name == "bash" and Path(shell).parent.name == "shell"
        argv = [
            "setpriv",
            f"--reuid={batch_user.uid}",
            f"--regid={batch_user.gid}",
            "--clear-groups",
        ]
        terminal = subprocess.Popen(
            [*argv, "xfce4-terminal", "--disable-server"], env=env, cwd=batch_user.home
        )
        try:
            # bash, run by the terminal, with what is held back from it.
            def shells() -> list[dict[str, str]]:
                found = []
                for pid, command in session.processes().items():
                    if command.split()[:1] == ["/bin/bash"]:
                        text = shown(pid, "environ").decode()
                        found.append(dict(e.split("=", 1) for e in text.split("\0") if "=" in e))
                return [e for e in found if e.get("PYTHONPATH") == "/opt/p"]

            assert wait_for(shells)
        finally:
            terminal.kill()
            terminal.wait()
    finally:
        session.close()


def test_a_home_that_the_node_does_not_have_is_said_before_the_start(user: TestUser) -> None:
    # Records elsewhere, as in /scratch: a job whose records lie in the home does not even begin.
    moved = user.home.with_name(f"{user.home.name}-away")
    with tempfile.TemporaryDirectory(prefix="mlt-records-", dir="/var/tmp") as name:
        os.chown(name, user.uid, user.gid)
        directory = prepare(user, env=settings(user, sessions_dir=f"{name}/sessions"))
        user.home.rename(moved)
        try:
            command = [sys.executable, "-m", "moonlight_spawner", "agent", str(directory)]
            job = {**as_user(user, {"PATH": f"{no_gpu()}:/usr/bin:/bin"}), "cwd": "/"}
            ended = subprocess.run(command, timeout=PATIENCE, check=False, **job)
        finally:
            moved.rename(user.home)
        status = DeskSession(user, directory).status
    assert ended.returncode == 1
    assert status.end and status.end.code == "NoHome"
    assert f"The home {user.home} of {user.name} does not exist on node" in status.end.reason
    (failed,) = [step for step in status.steps if step.state.value == "failed"]
    assert (failed.id, failed.detail) == ("desktop", status.end.reason)


def test_a_part_that_dies_of_a_modules_library_names_it(
    launch: Launch, user: TestUser, module: Path
) -> None:
    # As a site might for an X server of a module's.
    wrapper = module / "bin" / "x-of-the-site"
    wrapper.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={module}/lib exec /usr/bin/Xvfb "$@"\n')
    wrapper.chmod(0o755)
    env = settings(user, x_server_command=json.dumps([str(wrapper)]))
    # As the job's script hands it to the agent, whose Python would die of it as well.
    session = launch(env=env, job={"MOONLIGHT_KEPT_LD_LIBRARY_PATH": f"{module}/lib"})
    end = session.wait_ended().end
    assert end and end.code == "XServerFailed"
    assert (
        f"{module}/lib/lib" in end.reason and "comes from LD_LIBRARY_PATH of the job" in end.reason
    )
