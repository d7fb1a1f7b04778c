"""VirtualGL's stand-in (source: demos/eglinfo.c, server/vglrun.in, server/faker.cpp)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_sunshine_display import X

_HERE = Path(__file__).resolve().parent / "virtualgl"
_DEVICES: list[dict[str, Any]] = [
    {"dri": "/dev/dri/card0", "renderer": "NVIDIA A40/PCIe/SSE2", "broken": True},
    {"dri": "/dev/dri/card1", "renderer": "NVIDIA L40S/PCIe/SSE2"},
    {"dri": "/dev/dri/card2", "renderer": "NVIDIA L4/PCIe/SSE2"},
    {"dri": None, "renderer": "llvmpipe (LLVM 15.0.6, 256 bits)"},
]
_INVALID = "[VGL] ERROR: in init3D--\n[VGL]    245: Invalid EGL device\n"


def _run(
    *words: str, devices: Any = _DEVICES, bin: Path = _HERE / "bin", **more: str
) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{bin}:/usr/bin:/bin", "DISPLAY": ":14", **more}
    if devices is not None:
        env["STANDIN_EGL_DEVICES"] = json.dumps(devices)
    return subprocess.run(words, env=env, capture_output=True, text=True)


def test_the_list_numbers_what_can_be_opened() -> None:
    done = _run("eglinfo", "-e")
    assert done.returncode == 0
    assert done.stdout == (
        "EGL device ID: egl0 or egl, DRI device path: /dev/dri/card1\n"
        "EGL device ID: egl1, DRI device path: /dev/dri/card2\n"
        "EGL device ID: egl2\n"
    )


@pytest.mark.parametrize(
    ("name", "renderer"),
    [
        ("egl", "NVIDIA L40S/PCIe/SSE2"),
        ("egl0", "NVIDIA L40S/PCIe/SSE2"),
        ("EGL1", "NVIDIA L4/PCIe/SSE2"),
        ("/dev/dri/card2", "NVIDIA L4/PCIe/SSE2"),
        ("egl2", "llvmpipe (LLVM 15.0.6, 256 bits)"),
    ],
)
def test_one_device(name: str, renderer: str) -> None:
    done = _run("eglinfo", "-B", name)
    assert done.returncode == 0
    assert f"\nOpenGL renderer string: {renderer}\n" in done.stdout
    assert done.stdout.startswith("EGL device ID: egl")
    assert ("DRI device path: " in done.stdout) == (name != "egl2")
    shown = _run("vglrun", "-d", name, "glxinfo", "-B")
    assert shown.returncode == 0
    assert f"\nOpenGL renderer string: {renderer}\n" in shown.stdout


@pytest.mark.parametrize("name", ["egl3", "/dev/dri/card0", "/dev/dri/renderD128", "eglx"])
def test_a_device_that_is_not_there(name: str) -> None:
    done = _run("eglinfo", "-B", name)
    assert (done.returncode, done.stdout, done.stderr) == (255, "", "Error: invalid EGL device\n")
    done = _run("vglrun", "-d", name, "glxinfo", "-B")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", _INVALID)


@pytest.mark.parametrize("devices", [None, [], [{"renderer": "x", "broken": True}]])
def test_no_device_at_all(devices: Any) -> None:
    done = _run("eglinfo", "-e", devices=devices)
    assert (done.returncode, done.stderr) == (255, "Error: no EGL devices found\n")
    done = _run("vglrun", "-d", "egl", "glxinfo", devices=devices)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "[VGL]    214: No EGL devices found",
    )


def test_what_vglrun_sets() -> None:
    words = ["vglrun", "-d", "egl1", "+v", "-fps", "30", "-nodl", "--", "env"]
    done = _run(*words, LD_PRELOAD="/lib/x86_64-linux-gnu/libc.so.6")
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    wanted = {"VGL_DISPLAY": "egl1", "VGL_ISACTIVE": "1", "VGL_VERBOSE": "1", "VGL_FPS": "30"}
    wanted |= {"GEOPROBE_USEGLX": "1", "LD_PRELOAD": "/lib/x86_64-linux-gnu/libc.so.6"}
    assert wanted.items() <= found.items()
    assert "VGL_ISACTIVE" not in _run("env").stdout


def test_without_a_command_or_with_a_wrong_option_it_says_how() -> None:
    for words, status in {("vglrun",): 0, ("vglrun", "-x", "env"): 1, ("vglrun", "-h"): 0}.items():
        done = _run(*words)
        assert done.returncode == status
        assert "[options] [--] <3D application>" in done.stdout
    assert _run("vglrun", "sh", "-c", "exit 7").returncode == 7


def test_without_a_device_it_wants_the_x_server_of_the_node() -> None:
    done = _run("vglrun", "+v", "glxinfo", "-B")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[1:] == [
        "[VGL] Opening connection to 3D X server :0",
        "[VGL] ERROR: Could not open display :0.",
    ]


def test_the_devices_may_be_in_a_file(tmp_path: Path) -> None:
    copy = shutil.copytree(_HERE, tmp_path / "virtualgl")
    (copy / "egl_devices.json").write_text(json.dumps(_DEVICES[2:]))
    done = _run("eglinfo", "-B", "egl", devices=None, bin=copy / "bin")
    assert "OpenGL renderer string: NVIDIA L4/PCIe/SSE2" in done.stdout


@pytest.fixture
def x(tmp_path: Path) -> Iterator[X]:
    server = X(tmp_path)
    yield server
    server.kill()


def test_without_vglrun_glxinfo_is_the_real_one(x: X) -> None:
    assert os.access("/usr/bin/glxinfo", os.X_OK), "install mesa-utils"
    own: dict[str, Any] = {"DISPLAY": x.display, "XAUTHORITY": str(x.authority)}
    plain, real = _run("glxinfo", "-B", **own), _run("/usr/bin/glxinfo", "-B", **own)
    assert plain.returncode == 0 and plain.stdout == real.stdout
    shown = _run("vglrun", "-d", "egl", "glxinfo", "-B", **own)
    for line in ("name of display", "display", "direct rendering", "OpenGL vendor string"):
        assert re.search(rf"(?m)^{line}: ", shown.stdout) and re.search(
            rf"(?m)^{line}: ", real.stdout
        )
