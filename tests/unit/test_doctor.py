"""`moonlight-hpc doctor` on nodes where something is missing, too old, or never answers."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.doctor.cluster import for_many
from moonlight_spawner.site.options import MoonlightSite

from tests.standins.sunshine_install import install
from tests.support.waiting import PATIENCE

from .conftest import AsNobody

Found = dict[str, dict[str, Any]]
NODE = ["X server", "desktop", "D-Bus", "selkies", "Sunshine", "Sunshine's web client"]
NODE += ["X sockets", "Apptainer", "sound", "OpenGL", "input devices", "shared memory"]
NODE += ["port range"]

# What waits for twenty seconds or a minute waits for one or three.
HASTY = """
import sys
import moonlight_spawner.doctor.node as node
from moonlight_spawner.cli.main import main
assert node.SECONDS
node.SECONDS = 1.0
import moonlight_spawner.doctor.cluster as launch
assert launch._PING_SECONDS * 2 <= 15, "two questions, and what is said about them"
launch._PING_SECONDS = 1.0
sys.exit(main(sys.argv[1:]))
"""


class Doctor:
    """Looks at a node that has the programs of ``bin`` and the Python modules of ``lib`` besides."""

    hasty = False  # what answers has its usual time; it is short where something never does

    def __init__(self, directory: Path):
        self.bin, self.lib = directory / "bin", directory / "lib"
        self.images = directory / "images"
        for place in (self.bin, self.lib, self.images):
            place.mkdir()
        self._env = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "PYTHONPATH": str(self.lib),
            "MOONLIGHT_HPC_SCHEDULER": "local",
            "MOONLIGHT_HPC_SESSIONS_DIR": str(directory / "sessions"),
            "MOONLIGHT_HPC_IMAGES_DIR": str(self.images),
        }

    def program(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def look(self, *arguments: str, first: Sequence[str] = (), **settings: str) -> Found:
        more = {f"MOONLIGHT_HPC_{name.upper()}": value for name, value in settings.items()}
        program = ["-c", HASTY] if self.hasty else ["-m", "moonlight_spawner"]
        done = subprocess.run(
            [*first, sys.executable, *program, "doctor", *arguments, "--json"],
            env={**os.environ, **self._env, **more},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.stdout, done.stderr
        findings = json.loads(done.stdout)
        assert done.returncode == (0 if all(f["good"] for f in findings) else 1)
        assert all(f["fix"] for f in findings if not f["good"])
        return {f["name"]: f for f in findings}

    def node(self, first: Sequence[str] = (), **settings: str) -> Found:
        found = self.look("--node", first=first, **settings)
        assert list(found) == NODE, "no finding is lost, whatever another one is"
        return found


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


@pytest.mark.parametrize(
    "module, words, fix",
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "SIGILL", "CPU is too old"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV", "by hand"),
        ("import time; time.sleep(60)", "within 1 s", "by hand"),
        ("raise ImportError('libgbm.so.1: cannot open')", "libgbm.so.1", "libgbm1"),
    ],
    ids=["illegal instruction", "crash", "slow", "library"],
)
def test_an_encoder_that_does_not_load(doctor: Doctor, module: str, words: str, fix: str) -> None:
    (doctor.lib / "pixelflux.py").write_text(module + "\n")
    doctor.hasty = "sleep" in module
    found = doctor.node()["selkies"]
    assert not found["good"]
    assert words in found["text"] and fix in found["fix"]
    assert doctor.node(streaming_host="selkies")["selkies"]["good"] is False
    not_needed = doctor.node(streaming_host="sunshine")["selkies"]
    assert not_needed["good"] and "not needed" in not_needed["text"]


def test_where_images_stream_nothing_of_it_is_needed(doctor: Doctor) -> None:
    (doctor.lib / "pixelflux.py").write_text("raise ImportError('no')\n")
    (doctor.images / "sunshine_desktop.sif").write_bytes(b"SIF")
    doctor.program("apptainer", "exit 0")
    for host in ("auto", "sunshine"):
        found = doctor.node(streaming_host=host)
        assert all(found[name]["good"] for name in NODE[3:6]), found
        assert all("images bring theirs" in found[name]["text"] for name in NODE[4:6])
    found = doctor.node(streaming_host="selkies")
    assert not found["selkies"]["good"], "it runs on the node, beside the image"
    found = doctor.node(streaming_host="sunshine", host_desktop="always")
    assert not found["Sunshine"]["good"]


def test_an_image_that_does_not_start_in_time(doctor: Doctor) -> None:
    (doctor.images / "sunshine_desktop.sif").write_bytes(b"SIF")
    doctor.program("apptainer", "exec sleep 60")
    doctor.hasty = True
    found = doctor.node()["Apptainer"]
    assert not found["good"] and "within 3 s" in found["text"]
    assert f"{doctor.bin}/apptainer exec" in found["fix"]


def test_a_node_that_unpacks_images_for_each_program(doctor: Doctor) -> None:
    (doctor.images / "sunshine_desktop.sif").write_bytes(b"SIF")
    said = 'printf "\\033[34mINFO:   \\033[0m Converting SIF file to temporary sandbox...\\n" >&2'
    place = doctor.images / "unpacked"
    # Killed in the middle of it, it would leave that.
    keep = f'echo "$APPTAINER_TMPDIR" >{place}; mkdir -m 500 -p "$APPTAINER_TMPDIR/rootfs-1/usr"'
    doctor.program("apptainer", f"{said}; {keep}")
    found = doctor.node()["Apptainer"]
    assert not found["good"] and "unpacks all of its image" in found["text"]
    assert "Debian, Ubuntu: squashfuse" in found["fix"]
    assert not Path(place.read_text().strip()).exists()
    last = 'echo "INFO:    Cleaning up image..." >&2; exit 255'
    doctor.program("apptainer", f'{said}; echo "FATAL:   no user namespace" >&2; {last}')
    assert doctor.node()["Apptainer"]["text"] == "FATAL:   no user namespace"


def test_sunshine_is_missed_only_where_it_is_to_be(doctor: Doctor) -> None:
    found = doctor.node()
    for name in ("Sunshine", "Sunshine's web client"):
        assert found[name]["good"] and "not needed" not in found[name]["text"]
        assert "who asks for Sunshine by name gets none here" in found[name]["text"]
    found = doctor.node(streaming_host="selkies")
    assert "selkies streams here" in found["Sunshine"]["text"]
    found = doctor.node(streaming_host="sunshine")
    assert not found["Sunshine"]["good"] and not found["Sunshine's web client"]["good"]
    assert "sunshine not found" in found["Sunshine"]["text"]
    assert "web-server not found" in found["Sunshine's web client"]["text"]


@pytest.mark.parametrize("host", ["auto", "sunshine"])
def test_a_sunshine_that_is_there_is_asked(doctor: Doctor, tmp_path: Path, host: str) -> None:
    (tmp_path / "home").mkdir()
    install(doctor.bin.parent)
    found = doctor.node(streaming_host=host)
    assert found["Sunshine"]["good"], found
    assert found["Sunshine"]["text"] == f"v2026.817.185037 ({doctor.bin}/sunshine)"
    assert found["Sunshine's web client"]["good"]
    assert str(doctor.bin / "static") in found["Sunshine's web client"]["text"]


@pytest.mark.parametrize(
    "said, good",
    [
        ("Info: Sunshine version: v2025.924.154138 commit: 9d6d5a1", False),
        ("Info: Sunshine version: 0.23.1 commit: 9d6d5a1", False),
        ("Info: Sunshine version: v2026.815 commit: 9d6d5a1", False),
        ("Info: Sunshine version: v2026.816.1 commit: 9d6d5a1", True),
        ("Info: Sunshine version: v2026.1003.1 commit: 9d6d5a1", True),
        ("Info: Sunshine version: v2027.101.1 commit: 9d6d5a1", True),
        ("cannot open shared object file", False),
    ],
)
def test_a_sunshine_that_would_listen_everywhere_is_red(
    doctor: Doctor, said: str, good: bool
) -> None:
    doctor.program("sunshine", f"echo '{said}'")
    found = doctor.node()["Sunshine"]
    assert found["good"] is good, found
    assert good or "v2026.816" in found["fix"]


def test_it_writes_nothing_where_the_user_has_his_own(doctor: Doctor, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    doctor.program("my-sunshine", f'echo "$CONFIGURATION_DIRECTORY $@" > {seen}')
    doctor.node(sunshine_command='["my-sunshine", "--own-option"]')
    directory, *words = seen.read_text().split()
    assert words == ["--own-option", "--version"]
    assert "moonlight-doctor-" in directory and not Path(directory).exists()


def test_a_web_client_without_its_pages(doctor: Doctor, tmp_path: Path) -> None:
    name = "Sunshine's web client"
    doctor.program("sunshine", "echo Sunshine version: v2026.914.1")
    doctor.program("web-server", "exit 0")
    found = doctor.node()[name]
    assert not found["good"] and "moonlight_web_directory" in found["fix"]
    assert str(doctor.bin) in found["text"] and "/opt/moonlight-web" in found["text"]
    release = tmp_path / "release" / "static"
    release.mkdir(parents=True)
    (release / "stream.html").write_text("")
    assert doctor.node(moonlight_web_directory=str(release.parent))[name]["good"]


def test_an_agent_command_of_one_word(doctor: Doctor) -> None:
    wrapper = doctor.program(
        "start-agent", f'exec {sys.executable} -m moonlight_spawner agent "$@"'
    )
    found = doctor.look(agent_command=json.dumps([str(wrapper)]))["agent"]
    assert found["good"], found
    assert found["text"].startswith("moonlight-hpc ") and str(wrapper) in found["text"]
    doctor.program("start-agent", "echo 'module: command not found' >&2; exit 127")
    found = doctor.look(agent_command=json.dumps([str(wrapper)]))["agent"]
    assert not found["good"] and found["text"] == "module: command not found"
    found = doctor.look(agent_command="[]")["agent"]
    assert not found["good"] and "empty" in found["text"]


LOOK = """
import asyncio
from moonlight_spawner.doctor import examine
from moonlight_spawner.site.settings import load_site
result = [vars(f) for f in asyncio.run(examine(load_site(environ={
    "MOONLIGHT_HPC_CONFIG": args[0], "XDG_CONFIG_HOME": args[0], "MOONLIGHT_HPC_SCHEDULER": "local",
    "MOONLIGHT_HPC_SESSIONS_DIR": args[1],
})))]
"""


def test_a_check_that_fails_itself_is_one_finding(
    as_nobody: AsNobody, shared_directory: Path
) -> None:
    settings = shared_directory / "empty.py"
    settings.write_text("")
    settings.chmod(0o644)
    closed = shared_directory / "closed"
    closed.mkdir(mode=0o700)
    findings = {f["name"]: f for f in as_nobody(LOOK, str(settings), str(closed / "sessions"))}
    assert "PermissionError" in findings["space"]["text"] and not findings["space"]["good"]
    assert "Permission denied" in findings["records"]["text"]
    assert "sessions_dir" in findings["records"]["text"]
    assert findings["batch system"]["good"] and "input devices" in findings


def test_the_node_says_how_shared_memory_is_closed_to_others(doctor: Doctor) -> None:
    found = doctor.look("--node")["shared memory"]
    assert found["good"] and "closed to others from the start" in found["text"]


SLURM = ["controller", "partition viz", "QoS moonlight", "GPUs", "accounting"]
ANSWERS = {
    "sbatch": "exit 0",
    "scancel": "exit 0",
    "scontrol": "echo 'Slurmctld(primary) at head is UP'",
    "squeue": "exit 0",
    "sinfo": "case $* in *%G*) echo gpu:2;; *) printf 'viz* up 2\\nopen up 9\\nold down 1\\n';; esac",
    "sacctmgr": 'case $* in *assoc*) echo "$(id -un)|normal,moonlight";; *) echo moonlight;; esac',
    "sacct": "exit 0",
}


HIS_TURN = """
import asyncio, dataclasses
from moonlight_spawner.doctor.turn import turn
from moonlight_spawner.site.options import MoonlightSite
result = dataclasses.asdict(asyncio.run(turn(MoonlightSite(turn_secret_file=args[0]))))
"""


@pytest.fixture
def launching(doctor: Doctor) -> Doctor:
    """Where Slurm's commands are scripts that say that all is well."""
    for name, script in ANSWERS.items():
        doctor.program(name, script)
    return doctor


def launch_host(doctor: Doctor, **settings: str) -> Found:
    return doctor.look(scheduler="slurm", slurm_bin=str(doctor.bin), **settings)


def test_a_slurm_that_answers_is_looked_through(launching: Doctor) -> None:
    found = launch_host(launching)
    assert [name for name in found if name in SLURM] == SLURM
    assert all(found[name]["good"] and not found[name]["odd"] for name in SLURM), found


@pytest.mark.parametrize("handed_on", [0, 1, 2])
def test_a_slurm_that_hands_on_how_nice_a_users_side_is(launching: Doctor, handed_on: int) -> None:
    config = f"echo 'PropagatePrioProcess    = {handed_on}'"
    launching.program("scontrol", f"case $* in *config*) {config};; *) echo at head is UP;; esac")
    site = MoonlightSite(scheduler="slurm", slurm_bin=str(launching.bin))
    found = asyncio.run(for_many(site))
    assert found.good and found.odd is bool(handed_on), found
    assert ("PropagatePrioProcess=0" in found.fix) is bool(handed_on)


def test_a_launcher_card_that_starts_desktops_in_no_job_is_told(launching: Doctor) -> None:
    """The environment of the tests is one with JupyterLab and selkies."""
    found = launch_host(launching)["JupyterLab's launcher"]
    assert found["good"] and found["odd"] and "in no job" in found["text"]
    assert "docs/install.md" in found["fix"]
    assert "JupyterLab's launcher" not in launching.look(), "there is no batch system to go past"


@pytest.mark.parametrize(
    "script, words",
    [
        ("echo 'Slurmctld(primary) at head is DOWN'; exit 1", "head is DOWN"),
        (
            "echo 'scontrol: fatal: Could not establish a configuration source' >&2; exit 1",
            "source",
        ),
        ("exec sleep 60", "within 1 s"),
    ],
    ids=["dead", "no configuration", "hangs"],
)
def test_a_controller_that_is_away_is_all_that_is_said(
    launching: Doctor, script: str, words: str
) -> None:
    """What depends on it would be red for no reason of its own."""
    launching.program("scontrol", script)
    launching.hasty = "sleep" in script
    for name in ("squeue", "sinfo", "sacct", "sacctmgr"):
        launching.program(name, "echo down >&2; exit 1")
    found = launch_host(launching)
    assert [name for name in found if not found[name]["good"]] == ["controller"]
    assert words in found["controller"]["text"]
    assert not set(found) & set(SLURM[1:])


def test_one_that_answers_a_ping_and_no_question(launching: Doctor) -> None:
    launching.program("squeue", "exec sleep 60")
    launching.hasty = True
    found = launch_host(launching)
    assert [name for name in found if not found[name]["good"]] == ["controller"]


def test_what_a_site_leaves_to_slurm_is_looked_at_as_such(launching: Doctor) -> None:
    launching.program("sacctmgr", "exit 0")
    found = launch_host(launching, qos="", partition="")
    assert found["QoS"]["good"] and "default" in found["QoS"]["text"]
    assert found["default partition"]["text"] == "viz, up, 2 nodes"
    assert found["GPUs"]["good"]
    launching.program("sinfo", "echo 'open up 9'")
    assert not launch_host(launching, qos="", partition="")["default partition"]["good"]
    assert launch_host(launching, qos="", partition="open")["partition open"]["good"]


def test_a_name_that_is_no_setting_is_a_yellow_line(doctor: Doctor) -> None:
    found = doctor.look("--node", partiton="gpu")
    assert "settings" not in found, "a node has none"
    found = doctor.look(partiton="gpu")["settings"]
    assert found["good"] and found["odd"] and "MOONLIGHT_HPC_PARTITON" in found["text"]
    assert found["fix"]
    assert not doctor.look()["settings"]["odd"]


def test_turns_secret_at_a_door_where_sessions_are_launched_by_their_user(
    doctor: Doctor, as_nobody: AsNobody, shared_directory: Path
) -> None:
    """He has to be able to read it, or goes without TURN."""
    secret = shared_directory / "turn.secret"
    settings = {"turn_uris": '["turn:127.0.0.1:3478"]', "turn_secret_file": str(secret)}
    assert "TURN" not in doctor.look(**settings), "nothing reads it without WebRTC"
    settings["webrtc"] = "true"
    found = doctor.look(**settings)["TURN"]
    assert not found["good"] and "No such file" in found["text"], found
    secret.write_text("\n")
    found = doctor.look(**settings)["TURN"]
    assert not found["good"] and "has no secret" in found["text"], found
    secret.write_text("coturn's\n")
    found = doctor.look(**settings)["TURN"]
    assert found["good"] and not found["odd"], found
    secret.chmod(0o600)
    found = doctor.look(**settings)["TURN"]  # as root, who can read all
    assert found["good"] and found["odd"] and "by its owner alone" in found["text"], found
    his = as_nobody(HIS_TURN, str(secret))
    assert his["good"] and his["odd"] and "cannot be read" in his["text"], his
    assert "a secret of their own" in his["fix"]
    secret.chmod(0o644)
    his = as_nobody(HIS_TURN, str(secret))
    assert his["good"] and not his["odd"], his


@pytest.mark.parametrize(
    ("given", "reserved", "lost", "line"),
    [
        ("32768 60999", "", "1001 ports", "47989-48989"),
        ("32768 60999", "8080,48000-48100", "900 ports", "8080,47989-48989"),
        ("48980 60999", "48990", "10 ports", "47989-48990"),
        ("32768 60999", "47000-49000", "", ""),
        ("32768 47988", "", "", ""),
    ],
)
def test_ports_that_the_kernel_gives_to_outgoing_connections(
    doctor: Doctor, given: str, reserved: str, lost: str, line: str
) -> None:
    """In a network name space of its own, which has these settings for itself."""
    write = 'echo "$0" > ip_local_port_range && echo "$1" > ip_local_reserved_ports && shift'
    script = f'cd /proc/sys/net/ipv4 && {write} && exec "$@"'
    found = doctor.node(["unshare", "--net", "sh", "-c", script, given, reserved])["port range"]
    assert found["good"] and found["odd"] == bool(lost)
    if lost:
        assert found["text"].startswith(lost)
        assert f"ip_local_reserved_ports = {line}`" in found["fix"]
