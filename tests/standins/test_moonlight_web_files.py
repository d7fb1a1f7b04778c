"""moonlight-web's two files: what both versions take, and what they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE

from .client import Identity
from .moonlight_web_running import HEADER, PROGRAM, Web
from .sunshine_standin.identity import HOST, generate


@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("codec", ["h264", "h265", "av1", "auto"])
def test_codecs_and_ice_servers_are_taken(tmp_path: Path, major: int, codec: str) -> None:
    """(source) RoleV3, RtcIceServer, StreamCodec: the same in both versions."""
    web = Web(tmp_path, major, 47989, generate(HOST)[1])
    role = web.data["roles"]["1"]
    role["permissions"].update(allow_codec_h265=True, allow_codec_av1=True)
    role["default_settings"].update(videoCodec=codec, pageStyle="moonlight")
    turn = {"urls": ["turn:turn.site:3478"], "username": "1790000000:x", "credential": "s3cret="}
    servers: list[dict[str, Any]] = [{"urls": ["stun:stun.site:3478", "stuns:stun.site"]}, turn]
    web.config["webrtc"]["ice_servers"] = servers
    web.start()
    try:
        web.ready()
        given = json.loads(web.fetch("GET", "/api/role", HEADER)[1])["role"]["permissions"]
        assert given["allow_codec_h265"] is given["allow_codec_av1"] is True
        given = json.loads(web.fetch("GET", "/api/role", HEADER)[1])["role"]["default_settings"]
        assert given["videoCodec"] == codec
        environment = {"PATH": os.environ["PATH"], "STANDIN_MOONLIGHT_WEB": str(major)}
        shown = subprocess.run(
            [PROGRAM, "print-config"],
            cwd=web.folder,
            env=environment,
            capture_output=True,
            check=True,
        ).stdout
        complete = {**servers[0], "username": "", "credential": ""}
        assert json.loads(shown)["webrtc"]["ice_servers"] == [complete, turn]
    finally:
        web.process.kill()
        web.process.wait()


Change = Callable[[Web], Any]
_WRONG_CONFIG: dict[str, Change] = {
    "missing field `session_expiration_check_interval`": lambda w: w.config["data_storage"].pop(
        "session_expiration_check_interval"
    ),
    "missing field `first_login_create_admin`": lambda w: w.config["web_server"].pop(
        "first_login_create_admin"
    ),
    "unknown field `bind_adress`": lambda w: w.config["web_server"].update(bind_adress="x"),
    "expected a boolean": lambda w: w.config["web_server"].update(first_login_create_admin=1),
    "invalid socket address": lambda w: w.config["web_server"].update(bind_address="8080"),
    "missing field `level_filter`": lambda w: w.config.update(log={"file_path": "x"}),
    "missing field `urls`": lambda w: w.config["webrtc"].update(ice_servers=[{"username": "u"}]),
    "expected u16": lambda w: w.config.update(moonlight={"default_http_port": 70000}),
    "ice_servers[0].credential: invalid type: null": lambda w: w.config["webrtc"].update(
        ice_servers=[{"urls": ["turn:x"], "credential": None}]
    ),
    "ice_servers[0].username: invalid type: integer `7`": lambda w: w.config["webrtc"].update(
        ice_servers=[{"urls": ["turn:x"], "username": 7}]
    ),
    "ice_servers[0].urls: invalid type": lambda w: w.config["webrtc"].update(
        ice_servers=[{"urls": "turn:x"}]
    ),
    "unknown field `password`": lambda w: w.config["webrtc"].update(
        ice_servers=[{"urls": ["turn:x"], "password": "x"}]
    ),
}
_WRONG_DATA: dict[str, Change] = {
    "unknown variant `2`": lambda w: w.data.update(version="2"),
    "missing field `default_settings`": lambda w: w.data["roles"]["1"].pop("default_settings"),
    "missing field `allow_hdr`": lambda w: w.data["roles"]["1"]["permissions"].pop("allow_hdr"),
    "invalid digit": lambda w: w.data["users"].update(x=w.data["users"]["1"]),
    "role 9 not found": lambda w: w.data["users"]["1"].update(role_id=9),
    "user 9 not found": lambda w: w.data["hosts"]["1"].update(owner=9),
    "not the certificate's": lambda w: w.data["hosts"]["1"]["pair_info"].update(
        client_certificate=Identity.new().cert
    ),
    "not a certificate": lambda w: w.data["hosts"]["1"]["pair_info"].update(server_certificate="x"),
    "missing field `allow_codec_h265`": lambda w: w.data["roles"]["1"]["permissions"].pop(
        "allow_codec_h265"
    ),
    "allow_codec_av1: invalid type: string": lambda w: w.data["roles"]["1"]["permissions"].update(
        allow_codec_av1="true"
    ),
    "unknown variant `hevc`": lambda w: w.data["roles"]["1"]["default_settings"].update(
        videoCodec="hevc"
    ),
    "unknown variant `rtc`": lambda w: w.data["roles"]["1"]["default_settings"].update(
        dataTransport="rtc"
    ),
}


@pytest.mark.parametrize(
    ("words", "change", "status"),
    [
        *((words, change, 101) for words, change in _WRONG_CONFIG.items()),
        *((words, change, 0) for words, change in _WRONG_DATA.items()),
    ],
)
def test_a_wrong_file_ends_it(tmp_path: Path, words: str, change: Change, status: int) -> None:
    web = Web(tmp_path, 2, 47989, generate(HOST)[1])
    change(web)
    process = web.start()
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    assert process.wait() == status
    timer.cancel()
    assert words in web.output


def test_the_two_versions_differ_in_keys(tmp_path: Path) -> None:
    for major, server, tree in [
        (2, {"ignore_case": True}, {}),
        (3, {}, {"streamer_path": "./streamer"}),
    ]:
        folder = tmp_path / str(major)
        folder.mkdir()
        web = Web(folder, major, 47989, generate(HOST)[1])
        web.config["web_server"]["forwarded_header"].update(server)
        web.config.update(tree)
        assert web.start().wait(PATIENCE) == 101
        assert "unknown field" in web.output
