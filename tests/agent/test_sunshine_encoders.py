"""Sunshine on a node: what encodes, what the user is told of it, and what both ends may use."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.agent.desktop.gpu import Gpu
from moonlight_spawner.agent.hosts.sunshine.encoding import Encoding
from moonlight_spawner.model.session import Resources

from tests.cluster.users import TestUser
from tests.support.reachable import standins

from .conftest import Launch
from .nodes import Node, a_node
from .sessions import AgentSession, settings


@pytest.fixture
def node() -> Iterator[Node]:
    with a_node() as node:
        yield node


def site(
    user: TestUser, web: str = "2", python: str = sys.executable, **knobs: str
) -> dict[str, str]:
    """Settings of a site whose nodes have Sunshine with these knobs, and moonlight-web."""
    turned = [f"STANDIN_SUNSHINE_{name}={value}" for name, value in knobs.items()]
    env = ["/usr/bin/env", f"STANDIN_PYTHON={python}", f"STANDIN_MOONLIGHT_WEB={web}"]
    package = standins() / "moonlight_web_package"
    return settings(
        user,
        streaming_host="sunshine",
        sunshine_command=json.dumps([*env, *turned, str(standins() / "sunshine")]),
        moonlight_web_command=json.dumps([*env, str(package / "web-server")]),
        moonlight_web_directory=str(package),
        gpus="0",
    )


def file(session: AgentSession, name: str) -> str:
    runtime = Path(session.desktop_environment()["XAUTHORITY"]).parent
    return (runtime / name).read_text()


def configuration(session: AgentSession) -> dict[str, str]:
    lines = file(session, "sunshine/sunshine.conf").splitlines()
    return dict(line.split(" = ", 1) for line in lines)


def role(session: AgentSession) -> dict[str, Any]:
    role: dict[str, Any] = json.loads(file(session, "web/server/data.json"))["roles"]["1"]
    return role


def about_encoding(notes: list[str]) -> list[str]:
    return [note for note in notes if "OpenGL" not in note]


def test_a_gpu_encodes_and_offers_its_codecs_to_both_ends(
    launch: Launch, node: Node, user: TestUser
) -> None:
    node.add_gpus({"name": "NVIDIA L40S"})
    env = site(user, NVENC="1", NVENC_HEVC="1", NVENC_AV1="1")
    session = launch(env=env, body={"bitrate_kbps": 30000, "fps": 50}, job=node.job)
    status = session.wait_running()
    assert status.encoder == "h264_nvenc [nvenc]" and status.audio is True
    assert about_encoding(status.notes) == []
    told = configuration(session)
    assert (told["encoder"], told["hevc_mode"], told["av1_mode"]) == ("nvenc", "0", "0")
    assert told["max_bitrate"] == "30000" and told["stream_audio"] == "enabled"
    settings, may = role(session)["default_settings"], role(session)["permissions"]
    assert settings["videoCodec"] == "h264" and settings["bitrate"] == 30000
    assert settings["fps"] == 50
    assert settings["videoSizeCustom"] == {"width": 1024, "height": 768}
    assert (may["allow_codec_h265"], may["allow_codec_av1"]) == (True, True)
    assert may["maximum_bitrate_kbps"] == 30000


def test_a_gpu_without_av1_does_not_offer_it(launch: Launch, node: Node, user: TestUser) -> None:
    node.add_gpus({"name": "Tesla T4"})
    session = launch(env=site(user, NVENC="1", NVENC_AV1="0"), job=node.job)
    session.wait_running()
    may = role(session)["permissions"]
    assert (may["allow_codec_h265"], may["allow_codec_av1"]) == (True, False)


@pytest.mark.parametrize(
    ("gpu", "note"),
    [
        (None, "No NVIDIA GPU is visible to the job"),
        ("NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB has no video encoder"),
        ("NVIDIA L40S", "NVIDIA L40S (driver 570.124.06) can encode video, but Sunshine fell back"),
    ],
)
def test_the_cpu_encodes_and_the_user_learns_why(
    launch: Launch, node: Node, user: TestUser, gpu: str | None, note: str
) -> None:
    if gpu:
        node.add_gpus({"name": gpu})
    session = launch(env=site(user), job=node.job)
    status = session.wait_running()
    assert status.encoder == "libx264 [software]"
    assert any(one.startswith(note) for one in status.notes), status.notes
    may = role(session)["permissions"]
    assert (may["allow_codec_h265"], may["allow_codec_av1"]) == (False, False)
    if gpu != "NVIDIA L40S":
        told = configuration(session)
        assert (told["encoder"], told["hevc_mode"], told["av1_mode"]) == ("software", "1", "1")


@pytest.mark.parametrize("version", ["2", "3"])
def test_the_signalling_alias_leads_to_the_websocket_of_either_version(
    launch: Launch, user: TestUser, version: str
) -> None:
    session = launch(env=site(user, web=version))
    session.wait_running()
    answer = session.ask(
        "/signaling",
        session.token,
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://portal\r\n",
    )
    assert answer.status == 101, answer
    config = session.ask("/config.js", session.token)
    assert (b"export default" in config.body) == (version == "2")


@pytest.fixture
def capable() -> Iterator[Path]:
    """A Python with a file capability, as Sunshine's package gives it to Sunshine (setcap)."""
    with tempfile.TemporaryDirectory(prefix="mlt-caps-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", "--copies", name], check=True
        )
        (packages,) = Path(name).glob("lib/python3*/site-packages")
        (packages / "all.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")
        python = Path(name, "bin", "python3")
        subprocess.run(["setcap", "cap_sys_nice+ep", str(python.resolve())], check=True)
        yield python


def test_a_sunshine_with_file_capabilities_is_known_by_its_sockets(
    launch: Launch, user: TestUser, capable: Path
) -> None:
    session = launch(env=site(user, python=str(capable)))
    assert session.wait_running().encoder == "libx264 [software]"
    status = Path(f"/proc/{session.find(str(capable.name))}/status").read_text()
    assert "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status


def test_the_page_hears_of_no_paste(launch: Launch, user: TestUser) -> None:
    """Sunshine would type it as Ctrl+Shift+U, digits and Return for each character."""
    session = launch(env=site(user))
    session.wait_running()
    assert b"'paste', (event) => event.stopImmediatePropagation()" in (
        session.ask("/config.js", session.token).body
    )


def test_keys_are_found_in_the_us_layout_and_type_in_the_one_that_was_asked_for(
    launch: Launch, user: TestUser
) -> None:
    session = launch(env=site(user), body={"keyboard": "de"})
    status = session.wait_running()
    assert not any("keyboard" in note for note in status.notes)
    env = session.desktop_environment()
    script = (
        "from Xlib import XK, display; d = display.Display(); "
        "c = d.keysym_to_keycode(XK.XK_y); p = d.screen().root.query_pointer(); "
        "print([d.keycode_to_keysym(c, i) for i in (0, 2)], p.mask >> 13 & 3)"
    )
    done = subprocess.run(
        ["setpriv", f"--reuid={user.uid}", "--clear-groups", sys.executable, "-c", script],
        env={**env, "HOME": str(user.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    # The key that is Y in the first group is Z in the second, and the second is in force.
    assert done.stdout.strip() == f"[{ord('y')}, {ord('z')}] 1", done.stderr


def test_a_block_that_turned_out_to_be_taken_is_left_for_another(
    launch: Launch, user: TestUser
) -> None:
    """The first start says that its ports are taken; the words of that start are not the second's."""
    env = site(user)
    command = json.loads(env["MOONLIGHT_HPC_SUNSHINE_COMMAND"])
    once = user.home / "once"
    wrapper = user.home / "sunshine-once"
    real = " ".join(f"'{word}'" for word in command)
    said = "[2026-11-22 22:00:00.000]: Fatal: Couldn't bind RTSP server to port [1], Address already in use"
    wrapper.write_text(
        f"#!/bin/sh\nif [ ! -e {once} ]; then touch {once}; echo 'Sunshine version: v2026.817'; "
        f'echo "{said}"; sleep 60; fi\nexec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    session = launch(env={**env, "MOONLIGHT_HPC_SUNSHINE_COMMAND": json.dumps([str(wrapper)])})
    status = session.wait_running()
    assert status.encoder == "libx264 [software]"
    assert session.log("stream").count("Sunshine version") >= 2
    once.unlink()
    wrapper.unlink()


def test_pages_that_are_nowhere_are_told_at_once(launch: Launch, user: TestUser) -> None:
    env = site(user) | {"MOONLIGHT_HPC_MOONLIGHT_WEB_DIRECTORY": "/nonexistent/release"}
    session = launch(env=env)
    assert session.wait_exit() == 1
    end = session.status.end
    assert end and "/nonexistent/release" in end.reason and "moonlight_web_directory" in end.reason


def request(**fields: Any) -> Resources:
    usual = {"image": "x", "hours": 1, "cpus": 4, "memory_gb": 8, "gpus": 0, "fps": 60}
    return Resources(**{**usual, "resolution": "1920x1080", **fields})


@pytest.mark.parametrize(
    ("cpus", "preset"), [(1, "ultrafast"), (4, "superfast"), (8, "veryfast"), (32, "faster")]
)
def test_preset_and_threads_follow_the_cpus(cpus: int, preset: str) -> None:
    options = Encoding(request(), None, cpus).options
    assert options["sw_preset"] == preset
    assert options["min_threads"] == str(min(cpus, 16))


def test_the_cpu_is_asked_for_no_bits_that_nobody_sees() -> None:
    assert Encoding(request(bitrate_kbps=50000), None, 4).bitrate_kbps == 12442
    assert Encoding(request(bitrate_kbps=5000), None, 4).bitrate_kbps == 5000
    assert Encoding(request(resolution="640x480", fps=10), None, 4).bitrate_kbps == 2000
    l40s = Gpu(0, "", "NVIDIA L40S", "570")
    assert Encoding(request(bitrate_kbps=50000), l40s, 4).bitrate_kbps == 50000


def test_too_few_cpus_for_the_picture_are_told() -> None:
    notes = Encoding(request(resolution="3840x2160"), None, 4).notes(True)
    assert len(notes) == 2 and "about 5.4 CPUs" in notes[1] and "the session has 4" in notes[1]
    assert len(Encoding(request(), None, 4).notes(True)) == 1
    assert Encoding(request(), Gpu(0, "", "Tesla T4", "570"), 1).notes(False) == []
