"""What the viewer relies on in selkies' web client: looked for in the version that is pinned.

A later selkies that fails here needs its facts read again (`ui/src/viewer/host/selkies.ts`).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import selkies
from moonlight_spawner.agent.hosts import selkies_start
from moonlight_spawner.agent.hosts.selkies import PAGE, SelkiesHost, of_this_python

WEB = Path(selkies.__file__).parent / "selkies_web"
VIEWER = Path(__file__).parents[2] / "jupyter_extension" / "ui" / "src" / "viewer" / "host"


def page() -> str:
    host = cast(SelkiesHost, SelkiesHost.__new__(SelkiesHost))
    cast(Any, host).context = SimpleNamespace()
    answer = host.answer(f"{PAGE}?x=1")
    assert answer and answer[0] == 200
    assert host.answer("/") is None and host.answer("/assets/core.html") is None
    return answer[2].decode()


def test_the_page_without_the_panel_loads_the_client_that_is_there() -> None:
    [script] = re.findall(r'<script[^>]* src="([^"]+)"', page())
    core = (WEB / script).read_text()
    # It starts by itself where nobody says that it is to wait, and shows the picture in this place.
    assert "__SELKIES_DEFER_INITIALIZATION" in core and "getElementById(`app`)" in core
    assert 'id="app"' in page()
    assert "dashboard" not in page() and "root" not in page()


def test_the_page_has_the_mark_that_the_viewer_looks_for() -> None:
    name = re.search(r"MARK = '([^']+)'", (VIEWER / "selkies.ts").read_text())
    path = re.search(r"PAGE = '([^']+)'", (VIEWER / "selkies.ts").read_text())
    assert name and f'<meta name="{name[1]}" content="selkies">' in page()
    assert path and f"/{path[1]}" == PAGE


def test_the_client_takes_and_gives_what_the_viewer_says_and_hears() -> None:
    core = (WEB / "src" / "selkies-core.js").read_text()
    viewer = (VIEWER / "selkies.ts").read_text()
    said = set(re.findall(r"type: '([A-Za-z:]+)'", viewer)) | {"touchinput:trackpad"}
    said |= set(re.findall(r"\? '(touchinput:[a-z]+)' : '", viewer))
    assert {"settings", "getStats", "setManualResolution", "resetResolutionToWindow"} <= said
    for name in said:
        assert re.search(f"case *`{name}`:", core), name
    for name in ("stats", "fileUpload"):
        assert f"type === '{name}'" in viewer
        assert re.search(f"type: *`{name}`", core), name
    for name in ("overlayInput", "status-display"):
        assert f"'{name}'" in viewer and f"`{name}`" in core
    assert "requestFileUpload" in core
    assert "Connection Terminated: ${" in core


@pytest.mark.parametrize("field", ["rtt_ms", "send_ms", "cpu_percent", "hardware_expected"])
def test_the_server_tells_the_figures_that_are_shown(field: str) -> None:
    told = "".join(
        (Path(selkies.__file__).parent / name).read_text()
        for name in ("stream_stats.py", "websockets_mode.py")
    )
    assert re.search(rf'["\']{field}["\']|\b{field}=', told), field
    assert field in (VIEWER / "selkies.ts").read_text()


LOOKS = """
import asyncio, json, os, sys
from selkies import __main__, stream_stats, webrtc_mode
from selkies.stream_server import CentralizedStreamServer
from selkies.settings import settings
from selkies.websockets_mode import DataStreamingServer
server = CentralizedStreamServer(settings)
webrtc = __main__.WebRTCService(server)
print(json.dumps({
    "settle": stream_stats.SETTLE_S,
    "debounce": DataStreamingServer(server).RECONNECT_DEBOUNCE_MS,
    "webrtc": [hasattr(webrtc_mode, "RTCApp"), webrtc.mode],
    "loaded": [n for n in sys.modules if n.startswith("selkies.webrtc.") or n.startswith("selkies.ice")],
    "told": [settings.unix_socket, settings.ui_title, os.environ["DISPLAY"]],
    "web": asyncio.run(server._get_static_content_path()),
    "input": open(0).read(),
}))
"""


def test_its_start_finds_the_pauses_that_it_shortens_and_leaves_webrtc_out(tmp_path: Path) -> None:
    program = tmp_path / "selkies"
    program.write_text(LOOKS)
    started = subprocess.run(
        [sys.executable, selkies_start.__file__, str(program), "--unix-socket=/a/b"],
        input=json.dumps({"arguments": ["--ui-title=a title"], "environment": {"DISPLAY": ":7"}})
        + "\nmore",
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(started.stdout) == {
        "settle": selkies_start.SETTLE_SECONDS,
        "debounce": 0,
        "webrtc": [False, "webrtc"],
        "loaded": [],
        "told": ["/a/b", "a title", ":7"],
        "web": str(WEB),
        "input": "",
    }


def test_its_start_ends_with_who_was_to_speak_to_it() -> None:
    argv = [sys.executable, selkies_start.__file__, "/nonexistent"]
    started = subprocess.run(argv, input="{", capture_output=True, text=True)
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")


def test_what_is_loaded_before_is_there_and_no_module_of_selkies() -> None:
    """A module of its own would read the arguments before there are any."""
    look = (
        f"import importlib, sys; [importlib.import_module(n) for n in {selkies_start.LIBRARIES}];"
        "print([n for n in sys.modules if n.startswith('selkies')])"
    )
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.parametrize(
    "begins, ours",
    [
        ("#!{python}\nimport sys\n", True),
        ("#!{directory}/python3\nimport sys\n", True),
        ("#!/bin/sh\n'''exec' {python} \"$0\" \"$@\"\n' '''\n", True),
        ("#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n", True),
        ("#!/usr/bin/python3\nimport sys\n", False),
        ("#!/bin/sh\necho no\n", False),
        ("#!/bin/sh\n", False),
        ("#!/bin/sh\nit's\n", False),
        ("\x7fELF", False),
        ("", False),
    ],
)
def test_a_script_of_this_python_is_known_by_its_first_lines(
    tmp_path: Path, begins: str, ours: bool
) -> None:
    program = tmp_path / "selkies"
    python = Path(sys.executable)
    program.write_text(begins.format(python=python, directory=python.parent))
    assert of_this_python(str(program)) is ours
    assert not of_this_python(str(tmp_path / "absent"))


def test_the_one_that_is_installed_with_us_is_of_this_python() -> None:
    assert of_this_python(str(Path(sys.executable).parent / "selkies"))
