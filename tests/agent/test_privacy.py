"""On a node that everybody may log in to: what others can see, read and join of a session."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import psutil
import pytest

from tests.cluster.processes import shown
from tests.cluster.users import TestUser, run_as
from tests.relay.wires import login

from .sessions import AgentSession


@pytest.fixture
def runtime(running: AgentSession) -> Path:
    """The session's directory on the node."""
    return Path(running.desktop_environment()["XAUTHORITY"]).parent


def own_pids(session: AgentSession) -> set[int]:
    guardian = psutil.Process(session.process.pid)
    return {guardian.pid, *(child.pid for child in guardian.children(recursive=True))}


def cookie(runtime: Path) -> bytes:
    return (runtime / "xauthority").read_bytes()[-16:]


def test_directories_and_files_are_the_owners_alone(running: AgentSession, runtime: Path) -> None:
    for root in (running.directory, runtime):
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        for directory, names, files in os.walk(root):
            with contextlib.suppress(FileNotFoundError):  # the desktop's own may go
                assert os.stat(directory).st_uid == running.user.uid
            for name in (*names, *files):
                path = Path(directory, name)
                with contextlib.suppress(FileNotFoundError):  # records are written anew and renamed
                    mode = path.lstat().st_mode
                    if not stat.S_ISLNK(mode) and root == running.directory:
                        wanted = 0o700 if stat.S_ISDIR(mode) else 0o600
                        assert stat.S_IMODE(mode) == wanted, (path, oct(mode))
    for name in ("xauthority",):
        assert stat.S_IMODE((runtime / name).stat().st_mode) == 0o600
    assert not (runtime / "tls.pem").exists(), "the key is in memory only"


def test_no_secret_is_in_any_command_line(running: AgentSession, runtime: Path) -> None:
    secrets = [running.token.encode(), cookie(runtime), cookie(runtime).hex().encode()]
    seen = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            command = shown(int(entry), "cmdline")
            seen += bool(command)
            assert not any(secret in command for secret in secrets), command
    assert seen > 10


def test_no_secret_is_in_the_environment_of_the_desktop(
    running: AgentSession, runtime: Path
) -> None:
    for pid in own_pids(running):
        environment = shown(pid, "environ")
        assert running.token.encode() not in environment
        assert cookie(runtime).hex().encode() not in environment


def test_no_log_tells_a_secret(running: AgentSession, runtime: Path) -> None:
    assert login(running.gateway, "wrong", tls=True).status == 403
    assert login(running.gateway, running.token, tls=True).status == 303
    for path in running.directory.glob("*.log"):
        text = path.read_bytes()
        assert running.token.encode() not in text, path
        assert cookie(runtime).hex().encode() not in text, path


def test_only_the_gateway_listens_for_others(running: AgentSession) -> None:
    listening = set()
    for pid in own_pids(running):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            for connection in psutil.Process(pid).net_connections("inet"):
                if connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
                    listening.add(connection.laddr.port)
    assert running.status.gateway
    assert listening == {running.status.gateway.port}


@pytest.mark.parametrize(
    "command",
    [
        ["ls", "{directory}"],
        ["cat", "{directory}/token"],
        ["cat", "{directory}/status.json"],
        ["cat", "{directory}/agent.log"],
        ["ls", "{runtime}"],
        ["od", "-c", "{runtime}/xauthority"],
        ["cat", "/proc/{agent}/environ"],
        ["ls", "/proc/{agent}/fd"],
        ["ls", "/proc/{agent}/cwd/"],
        ["cat", "/proc/{xserver}/environ"],
        ["touch", "{directory}/stop.json"],
        ["kill", "-TERM", "{agent}"],
    ],
    ids=lambda c: " ".join(c),
)
def test_a_stranger_reaches_nothing(
    running: AgentSession, runtime: Path, stranger: TestUser, command: list[str]
) -> None:
    places = {
        "directory": running.directory,
        "runtime": runtime,
        "agent": running.agent.pid,
        "xserver": running.find("Xvfb"),
    }
    argv = [word.format(**places) for word in command]
    if argv[0] != "kill" and argv[0] != "touch":
        assert run_as(running.user, argv).returncode == 0, "the owner himself can"
    done = run_as(stranger, argv)
    assert done.returncode != 0 and done.stdout == ""
    assert running.guardian.alive() and running.status.phase == "running"


@pytest.mark.parametrize("name", ["selkies.sock", "bus"])
def test_a_stranger_cannot_join_a_socket(
    running: AgentSession, runtime: Path, stranger: TestUser, name: str
) -> None:
    script = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    argv = ["/usr/bin/python3", "-c", script, str(runtime / name)]
    assert run_as(running.user, argv).returncode == 0
    done = run_as(stranger, argv)
    assert "PermissionError" in done.stderr


def test_a_stranger_cannot_join_the_screen(
    running: AgentSession, runtime: Path, stranger: TestUser
) -> None:
    display = f":{running.status.display_num}"
    owner = {"DISPLAY": display, "XAUTHORITY": str(runtime / "xauthority")}
    assert run_as(running.user, ["xdpyinfo"], env=owner).returncode == 0
    assert run_as(running.user, ["xdpyinfo"], env={"DISPLAY": display}).returncode != 0
    for env in ({"DISPLAY": display}, owner, {"DISPLAY": f"127.0.0.1{display}"}):
        done = run_as(stranger, ["xdpyinfo"], env=env)
        assert done.returncode != 0 and "unable to open display" in done.stderr
    guessed = stranger.home / "guessed"
    run_as(stranger, ["xauth", "-f", str(guessed), "add", display, ".", "00" * 16])
    done = run_as(stranger, ["xdpyinfo"], env={"DISPLAY": display, "XAUTHORITY": str(guessed)})
    assert done.returncode != 0


def test_a_stranger_gets_nothing_from_the_gateway(
    running: AgentSession, stranger: TestUser
) -> None:
    gateway = running.gateway
    script = """
import http.client, json, ssl, sys
context = ssl._create_unverified_context()
answers = []
for method, path in [("GET", "/"), ("GET", "/healthz"), ("GET", "/api/websockets"),
                     ("GET", "/api/screenshot"), ("POST", "/api/upload"), ("POST", "/login"),
                     ("GET", "/control/x"), ("GET", "/signaling")]:
    connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context)
    connection.request(method, path, body="token=guess" if method == "POST" else None)
    answers.append(connection.getresponse().status)
print(json.dumps(answers))
"""
    done = run_as(stranger, ["/usr/bin/python3", "-c", script, str(gateway.port)], check=True)
    assert done.stdout.strip() == "[401, 401, 401, 401, 401, 403, 401, 401]"


def test_the_screen_can_be_reached_by_its_own_sockets_only(running: AgentSession) -> None:
    """X holds the abstract name too, so that nobody can put a socket of his own there."""
    display = running.status.display_num
    x = running.find("Xvfb")
    inodes = {
        line.split()[6]
        for line in Path("/proc/net/unix").read_text().splitlines()
        if line.endswith(f"/tmp/.X11-unix/X{display}") and line.split()[5] == "01"
    }
    held = {os.readlink(f"/proc/{x}/fd/{fd}") for fd in os.listdir(f"/proc/{x}/fd")}
    names = {
        line.split()[7]
        for line in Path("/proc/net/unix").read_text().splitlines()
        if len(line.split()) > 7 and line.endswith(f"X11-unix/X{display}")
    }
    assert names == {f"@/tmp/.X11-unix/X{display}", f"/tmp/.X11-unix/X{display}"}
    assert inodes and {f"socket:[{inode}]" for inode in inodes} <= held
