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
from moonlight_spawner.agent.hosts.selkies_transport import SERVERS, SIGNALING_PATHS, SWITCH
from moonlight_spawner.model.records import SunshineOptions

WEB = Path(selkies.__file__).parent / "selkies_web"
VIEWER = Path(__file__).parents[2] / "jupyter_extension" / "ui" / "src" / "viewer" / "host"


def host_with(runtime: Path = Path("/nonexistent"), **options: Any) -> SelkiesHost:
    spec = SimpleNamespace(sunshine=SunshineOptions(**options), files="both")
    context = SimpleNamespace(
        spec=spec, env={}, runtime=runtime, log_dir=runtime, ahead=None, ports=20_000
    )
    return SelkiesHost(cast(Any, context))


def page(**options: Any) -> str:
    host = host_with(**options)
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
    for name in ("stats",):
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


WEBRTC = {
    "webrtc": True,
    "stun_uris": ["stun:turn.site:3478"],
    "turn_uris": ["turn:turn.site:3478?transport=udp"],
    "turn_username": "1796030744:ml-alice",
    "turn_credential": "c0vered/",
}
SERVERS_TOLD = [
    {"urls": ["stun:turn.site:3478"]},
    {
        "urls": ["turn:turn.site:3478?transport=udp"],
        "username": "1796030744:ml-alice",
        "credential": "c0vered/",
    },
]


def test_the_page_tries_what_the_site_has() -> None:
    meta = '<meta name="moonlight-transport" content="{}">'
    assert meta.format("websockets") in page() and meta.format("webrtc") in page(**WEBRTC)
    assert "moonlight-transport" in (VIEWER / "selkies.ts").read_text()
    # What guests say is read on its way, so they come by WebSocket whatever the site has.
    shared = SelkiesHost.watching_page.partition("#")[2]
    assert f"if (location.hash === '#{shared}') transport.content = 'websockets'" in page(**WEBRTC)


def test_its_webrtc_uses_the_sessions_port_and_the_sites_servers_and_no_others(
    tmp_path: Path,
) -> None:
    assert not SelkiesHost.binds_ports(host_with().context.spec)
    assert host_with()._webrtc() == [selkies_start.ALONE]
    host = host_with(tmp_path, **WEBRTC)
    assert SelkiesHost.binds_ports(host.context.spec)
    argv, file = host._webrtc(), tmp_path / "ice.json"
    assert "--webrtc-udp-mux-port=20022" in argv and f"--rtc-config-json={file}" in argv
    assert file.stat().st_mode & 0o777 == 0o600
    assert not [word for word in argv if "c0vered" in word or "1796030744" in word]
    # The page is told the same by the gateway, since it asks before selkies knows of WebRTC.
    answer = host.answer(SERVERS)
    assert answer and answer[0] == 200 and (b"cache-control", b"no-store") in answer[1]
    assert json.loads(answer[2]) == json.loads(file.read_text()) == {"iceServers": SERVERS_TOLD}
    assert host_with().answer(SERVERS) is None
    read = (
        "import asyncio, json, sys; from selkies.webrtc_ice_config import get_rtc_configuration as get;"
        "from selkies.settings import settings;"
        "stun, turn, _, _ = asyncio.run(get(settings)); print(json.dumps([stun, turn]))"
    )

    def known(words: list[str]) -> Any:
        argv = [sys.executable, "-c", read, *words]
        said = subprocess.run(argv, capture_output=True, text=True, check=True)
        return json.loads(said.stdout)

    turn = "turn://1796030744%3Aml-alice:c0vered%2F@turn.site:3478?transport=udp"
    assert known(argv) == [["stun://turn.site:3478"], [turn]]
    assert known(host_with(tmp_path, webrtc=True)._webrtc()) == [[], []], "a public one"


def test_how_its_picture_comes_is_not_for_pages_to_switch() -> None:
    host = host_with(**WEBRTC)
    for path in (SWITCH, f"{SWITCH}/", "/api//switch", "/%61pi/switch"):
        assert host.refusal("POST", path, False) == "not_for_pages", path
    assert host.refusal("GET", "/api/status", False) == ""


def test_the_client_does_by_webrtc_what_the_page_and_the_gateway_expect() -> None:
    core = (WEB / "src" / "selkies-core.js").read_text()
    assert "window.__SELKIES_STREAMING_MODE__?window.__SELKIES_STREAMING_MODE__" in core
    assert f"{SERVERS}`" in core and "`api/`+e+`/signaling/`" in core
    for figure in ("stream_info=", "stream_client=", "stream_stats=", "window.fps="):
        assert figure in core, figure
    assert "new RTCPeerConnection(" in core and "alert(`Disconnected: `" in core
    source = Path(selkies.__file__).parent
    assert b"Superseded by" in (source / "webrtc_signaling_server.py").read_bytes()
    routes = (source / "webrtc_mode.py").read_text()
    assert "/api/webrtc/signaling{{slash:/?}}" in routes and "/api/ws" in routes
    assert f"{SIGNALING_PATHS[0]}/" in SIGNALING_PATHS and f'"{{api_prefix}}{SERVERS}"' in routes
    server = (source / "stream_server.py").read_text()
    assert f"{SWITCH}" in server and "status=204" in routes and "status=409" in routes


@pytest.mark.parametrize("alone", [True, False])
def test_its_start_finds_the_pauses_that_it_shortens_and_leaves_webrtc_out_where_it_is_not_wanted(
    tmp_path: Path, alone: bool
) -> None:
    program = tmp_path / "selkies"
    program.write_text(LOOKS)
    more = ["--ui-title=a title", *([selkies_start.ALONE] if alone else [])]
    started = subprocess.run(
        [sys.executable, selkies_start.__file__, str(program), "--unix-socket=/a/b"],
        input=json.dumps({"arguments": more, "environment": {"DISPLAY": ":7"}}) + "\nmore",
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(started.stdout)
    assert bool(told.pop("loaded")) is not alone
    assert told == {
        "settle": selkies_start.SETTLE_SECONDS,
        "debounce": 0,
        "webrtc": [not alone, "webrtc"],
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


def test_an_environment_below_a_shared_directory_is_no_shells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "shared/bin/python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    program = tmp_path / "selkies"
    program.write_text(f"#!{python}\nimport sys\n")
    assert of_this_python(str(program))


def test_the_one_that_is_installed_with_us_is_of_this_python() -> None:
    assert of_this_python(str(Path(sys.executable).parent / "selkies"))


def test_its_start_has_characters_pressed_with_the_modifiers_that_they_need() -> None:
    """EuroSign and aogonek, but no key of the number pad, no Shift and no Hangul key."""
    program = (
        "from moonlight_spawner.agent.hosts import selkies_start; selkies_start.press_with_modifiers()\n"
        "from selkies.input_handler import _XTestKeyboard as Keyboard\n"
        "keyboard = Keyboard.__new__(Keyboard)\n"
        "keyboard._xkb, keyboard._pressed_kc, keyboard._group_hold = None, {}, None\n"
        "keysyms = (0x20AC, 0x1B1, 0xFFB1, 0xFFE1, 0xFF31)\n"
        "print([keyboard.outside_base_group(k) for k in keysyms])\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout.split("\n")[-2] == "[True, True, False, False, False]", told.stderr
