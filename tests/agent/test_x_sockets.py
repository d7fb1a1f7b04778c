"""The way to a session's X server: nobody else is in it, at the start or later."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from moonlight_spawner.agent.display.screen import Screen
from moonlight_spawner.agent.display.xclient import connection
from Xlib import error

from tests.cluster.daemon import CLEAN_ENVIRONMENT
from tests.cluster.users import TestUser, run_as

from .sessions import Ranges
from .squatter import squatting

COOKIE = b"a cookie of ours"

START = """
import asyncio, json, os, subprocess, sys
from pathlib import Path
from moonlight_spawner.agent.display.screen import SOCKETS
from moonlight_spawner.agent.display.xserver import XServer, XServerFailed
display, home, options = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
async def main():
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    command = ["Xvfb", "-screen", "0", "640x480x24", *options]
    server = XServer(display, (1, 1), home / "xauthority", env, home / "xserver.log", command)
    said = {}
    try:
        await server.start()
        said["started"] = True
        said["resized"] = await server.resize(320, 200)
        env |= {"DISPLAY": f":{display}", "XAUTHORITY": str(home / "xauthority")}
        said["joined"] = subprocess.run(["xdpyinfo"], env=env, capture_output=True).returncode == 0
        said["mode"] = oct(SOCKETS.stat().st_mode)[-4:]
        sockets = Path("/proc/net/unix").read_text().splitlines()
        said["names"] = sorted({line.split()[7] for line in sockets if line.endswith(f"/X{display}")})
    except XServerFailed as e:
        said["why"] = str(e)
    finally:
        await server.stop()
    said["ran"] = bool(server.child.pid)
    said["left"] = os.path.lexists(f"/tmp/.X11-unix/X{display}")
    print(json.dumps(said))
asyncio.run(main())
"""


def start_x(
    user: TestUser, display: int, prepare: str = "true", *options: str
) -> dict[str, object]:
    """Start an X server as ``user`` where root has run ``prepare``, in a mount name space of its own."""
    home = "/root" if user.uid == 0 else str(user.home)
    become = f"exec setpriv --reuid={user.uid} --regid={user.gid} --clear-groups --"
    argv = in_place_of_tmp(f'{prepare}; cd /; {become} "$@"')
    argv += [sys.executable, "-c", START, str(display), home, *options]
    env = CLEAN_ENVIRONMENT | {"HOME": home}
    done = subprocess.run(
        argv, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def in_place_of_tmp(script: str) -> list[str]:
    """A command by which root runs ``script`` in a mount name space, with more words for its ``$@``.

    A Python below /tmp is out of sight for whoever has another /tmp: it is put back there.
    """
    here = sys.prefix
    if Path(here).is_relative_to("/tmp"):
        seen = script.replace("; cd /;", f"; mkdir -p {here}; mount --bind /mnt {here}; cd /;", 1)
        script = f"mount --bind {here} /mnt; {seen}"
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", f"set -e; {script}", "sh"]


def own_tmp(options: str) -> str:
    return f"mount -t tmpfs -o {options} tmpfs /tmp"


def directory(command: str) -> str:
    return f"{own_tmp('mode=1777')}; {command}"


UNSAFE = {
    "missing": (directory("true"), "does not exist"),
    "of another user": (
        directory("mkdir -m 1777 /tmp/.X11-unix; chown {stranger} /tmp/.X11-unix"),
        "belongs to uid {stranger}",
    ),
    "not sticky": (directory("mkdir -m 0777 /tmp/.X11-unix"), "not sticky"),
    "a link": (
        directory("mkdir -m 1777 /tmp/other; ln -s other /tmp/.X11-unix"),
        "no directory",
    ),
    "in a /tmp that is not sticky": (
        own_tmp("mode=0777") + "; mkdir -m 1777 /tmp/.X11-unix",
        "others may write to /tmp ",
    ),
}


@pytest.mark.parametrize("prepare, said", UNSAFE.values(), ids=UNSAFE)
def test_no_x_server_starts_where_others_could_exchange_its_socket(
    user: TestUser, stranger: TestUser, prepare: str, said: str
) -> None:
    result = start_x(user, Ranges().display, prepare.format(stranger=stranger.uid))
    assert "started" not in result and not result["ran"]
    assert said.format(stranger=stranger.uid) in str(result["why"])
    assert "install -d -o root -g root -m 1777 /tmp/.X11-unix" in str(result["why"])
    assert "tmpfiles.d" in str(result["why"])


def test_where_tmp_is_the_jobs_own_the_directory_is_made(user: TestUser) -> None:
    """As job_container/tmpfs of Slurm and pam_namespace have it."""
    tmp = own_tmp(f"mode=0700,uid={user.uid},gid={user.gid}")
    result = start_x(user, Ranges().display, tmp)
    assert result["started"] and result["joined"] and result["mode"] == "1777"


def test_root_makes_the_directory_for_everybody() -> None:
    root = TestUser("root", 0, 0, Path("/root"))
    result = start_x(root, Ranges().display, directory("true"))
    assert result["started"] and result["joined"] and result["mode"] == "1777"


@pytest.mark.parametrize("left_out", ["local", "unix"])
def test_a_socket_that_the_x_server_leaves_out_is_kept_from_others(
    user: TestUser, left_out: str
) -> None:
    display = Ranges().display
    result = start_x(user, display, "true", "-nolisten", left_out)
    path = f"/tmp/.X11-unix/X{display}"
    assert result["started"] and result["joined"] and result["resized"]
    assert result["names"] == [path, f"@{path}"] and not result["left"]


@pytest.mark.parametrize("place", ["@", ""], ids=["abstract", "file"])
@pytest.mark.parametrize("who", ["stranger", "user"])
def test_only_the_x_servers_process_is_told_the_cookie(
    stranger: TestUser, user: TestUser, who: str, place: str
) -> None:
    """After its end anybody may have its names: asked is who it is, at every connection."""
    display = Ranges().display
    name = f"{place}/tmp/.X11-unix/X{display}"
    with squatting(stranger if who == "stranger" else user, name) as squatter:
        if not place:
            os.chmod(name, 0o777)
        with pytest.raises((error.DisplayError, OSError)):
            with connection(Screen(display, os.getpid(), COOKIE)):
                pass
        assert squatter.heard() == ""
    if not place:
        os.unlink(name)


def test_no_port_is_tried_in_its_place() -> None:
    """python-xlib would go to TCP port 6000 + display, whoever listens there."""
    script = """
import os, socket, sys
from moonlight_spawner.agent.display.screen import Screen
from moonlight_spawner.agent.display.xclient import connection
listener = socket.create_server(("127.0.0.1", 0))
display = listener.getsockname()[1] - 6000
try:
    with connection(Screen(display, os.getpid(), b"a cookie of ours")):
        pass
except OSError as e:
    print(type(e).__name__)
listener.settimeout(0.2)
try:
    listener.accept()
    print("somebody came")
except TimeoutError:
    print("nobody came")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["FileNotFoundError", "nobody came"]


def test_doctor_looks_at_the_directory(user: TestUser, stranger: TestUser) -> None:
    script = """
import asyncio
from moonlight_spawner.doctor.node import _sockets
from moonlight_spawner.site.options import MoonlightSite
found = asyncio.run(_sockets(MoonlightSite()))
print(found.good, found.text, found.fix, sep="\\n")
"""
    done = run_as(user, [sys.executable, "-c", script], check=True)
    assert done.stdout.splitlines()[0] == "True"
    prepare, said = UNSAFE["of another user"]
    argv = in_place_of_tmp(f'{prepare.format(stranger=stranger.uid)}; cd /; exec "$@"')
    argv += ["setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups", "--"]
    argv += [sys.executable, "-c", script]
    told = subprocess.run(argv, cwd="/", capture_output=True, text=True, check=True).stdout
    good, text, fix = told.splitlines()
    assert good == "False" and said.format(stranger=stranger.uid) in text
    assert "install -d" in fix and "install -d" not in text
