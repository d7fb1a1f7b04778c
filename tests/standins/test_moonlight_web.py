"""moonlight-web's stand-in, with a Sunshine stand-in that was told of it before the start."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.waiting import PATIENCE

from .moonlight_web_running import DESKTOP, HEADER, PREFIX, PROGRAM, Web, running
from .pulse_running import Pulse
from .sunshine_running import Sunshine
from .sunshine_standin.identity import HOST, generate


@pytest.fixture(params=[2, 3])
def both(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Web, Sunshine]]:
    with running(tmp_path, request.param) as started:
        yield started


def test_version(tmp_path: Path) -> None:
    for major, text in {"2": "web-server 2.10.0", "3": "web-server 3.0.0-prerelease.4"}.items():
        env = {"PATH": os.environ["PATH"], "STANDIN_MOONLIGHT_WEB": major}
        done = subprocess.run([PROGRAM, "--version"], env=env, capture_output=True, text=True)
        assert done.stdout.strip() == text


def test_only_the_secret_name_is_let_in(both: tuple[Web, Sunshine]) -> None:
    web, _ = both
    assert web.fetch("GET", "/api/authenticate", HEADER)[0] == 200
    assert web.fetch("GET", "/api/authenticate")[0] == 401
    assert web.fetch("GET", "/api/hosts", {"X-Session-User": "someone"})[0] == 401
    assert web.fetch("GET", "/api/hosts", {"Authorization": "Bearer " + "0" * 64})[0] == 401
    assert web.fetch("GET", "/api/hosts", {"Authorization": "Basic x"})[0] == 400
    assert web.fetch("GET", "/api/hosts", {"Cookie": "mlSession=" + "0" * 64})[0] == 401
    assert web.fetch("GET", "/api/hosts", {"Cookie": "mlSession=xyz"})[0] == 400
    assert web.fetch("GET", "/api/permissions", HEADER)[0] == 404


def test_hosts_and_apps(both: tuple[Web, Sunshine]) -> None:
    web, host = both
    status, text = web.fetch("GET", "/api/hosts", HEADER)
    stored = {"host_id": 1, "owner": "ThisUser", "name": "node01", "paired": "Paired"}
    assert status == 200
    assert [json.loads(line) for line in text.splitlines()] == [
        {"hosts": [{**stored, "server_state": None}]},
        {**stored, "name": "ref-node-1", "server_state": "Free"},
    ]
    apps = json.loads(web.fetch("GET", "/api/apps?host_id=1", HEADER)[1])["apps"]
    assert {"app_id": DESKTOP, "title": "Desktop", "is_hdr_supported": False} in apps
    assert web.fetch("GET", "/api/apps?host_id=9", HEADER)[0] == 404
    host.process.kill()
    host.process.wait()
    assert web.fetch("GET", "/api/apps?host_id=1", HEADER)[0] == 500
    assert len(web.fetch("GET", "/api/hosts", HEADER)[1].splitlines()) == 1


def test_static_files_and_the_prefix(both: tuple[Web, Sunshine]) -> None:
    web, _ = both
    assert "<title>Stream</title>" in web.fetch("GET", "/stream.html?hostId=1&appId=2")[1]
    assert "Moonlight Web" in web.fetch("GET", "/")[1]
    start = "export default " if web.major == 2 else "window.__CONFIG_JS__ = "
    assert web.fetch("GET", "/config.js")[1] == start + f'{{"path_prefix":"{PREFIX}"}}'
    web.url = f"http://127.0.0.1:{web.port}"
    assert web.fetch("GET", "/stream.html")[0] == 404


async def _stream_v2(web: Web, app: int = DESKTOP, echo: bool = True) -> dict[str, Any]:
    """What a browser does; gives the messages by kind and what was counted."""
    seen: dict[str, Any] = {"video": 0, "rtt": []}
    size = {"width": 1280, "height": 720, "fps": 30}
    settings = {**size, "bitrate_kbps": 10000, "play_audio_local": False}
    settings |= {"supported_codecs": 1, "hdr": False}
    init = {"host_id": 1, "app_id": app, "video_frame_queue_size": 3, "audio_sample_queue_size": 9}
    async with aiohttp.ClientSession(headers=HEADER) as session:
        url = web.url + "/api/host/stream"
        async with session.ws_connect(url, autoping=False) as socket:
            await socket.send_json({"Init": init})
            await socket.ping(b"alive?")
            async for message in socket:
                if message.type is aiohttp.WSMsgType.PONG:
                    seen["pong"] = True
                elif message.type is aiohttp.WSMsgType.TEXT:
                    found = json.loads(message.data)
                    seen.update(found)
                    if "Setup" in found:
                        await socket.send_json({"SetTransport": "WebSocket"})
                        await socket.send_json({"StartStream": {"settings": settings}})
                elif message.type is aiohttp.WSMsgType.BINARY:
                    if message.data[0] == 2:
                        seen["video"] += 1
                        seen.setdefault("first", message.data)
                    elif message.data[0] == 26:
                        seen["rtt"].append(struct.unpack(">BH", message.data[1:])[1])
                        if echo:
                            await socket.send_bytes(message.data)
                if seen["video"] >= 20 and len(seen["rtt"]) >= 3:
                    break
    return seen


def test_v2_streams_with_both_sides_paired_before(tmp_path: Path) -> None:
    with running(tmp_path, 2) as (web, host):
        seen = asyncio.run(asyncio.wait_for(_stream_v2(web), PATIENCE))
        assert seen["UpdateApp"]["app"]["title"] == "Desktop"
        assert seen["ConnectionComplete"]["width"] == 1280
        assert seen["first"][:2] == b"\x02\x01"
        assert seen["rtt"][:3] == [1, 2, 3]
        assert "pong" not in seen
        assert host.client().serverinfo()["state"] == "SUNSHINE_SERVER_BUSY"
        again = asyncio.run(asyncio.wait_for(_stream_v2(web), PATIENCE))
        assert again["video"] >= 20
        answer = web.fetch("POST", "/api/host/cancel", HEADER, {"host_id": 1})
        assert answer == (200, '{"success": true}')
        assert host.client().serverinfo()["state"] == "SUNSHINE_SERVER_FREE"
        wrong = asyncio.run(asyncio.wait_for(_stream_v2(web, app=7), PATIENCE))
        assert wrong["DebugLog"]["ty"] == "fatalDescription"


def test_v2_needs_its_streamer(tmp_path: Path) -> None:
    with running(tmp_path, 2) as (web, _):
        (web.folder / "streamer").unlink()
        seen = asyncio.run(asyncio.wait_for(_stream_v2(web), PATIENCE))
        assert seen["DebugLog"]["message"] == "Failed to start stream because of a server error"


def test_v3_streams_with_both_sides_paired_before(tmp_path: Path) -> None:
    async def stream(web: Web) -> dict[str, Any]:
        seen: dict[str, Any] = {"video": 0, "stats": []}
        request = {"host_id": 1, "app_id": DESKTOP, "width": 1280, "height": 720, "fps": 30}
        request |= {"bitrate": 10000, "hdr": False, "local_audio_play_mode": False}
        request |= {"supported_codecs": 1, "preferred_codecs": 1}
        async with aiohttp.ClientSession(headers=HEADER) as session:
            async with session.ws_connect(web.url + "/api/host/stream/web_socket") as socket:
                await socket.send_json({"Request": request})
                await socket.send_json({"Stats": {"Ping": 77}})
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        found = json.loads(message.data)
                        seen.update(found)
                        seen["stats"].append(found.get("Stats"))
                    elif message.data[0] == 1:
                        seen["video"] += 1
                    if seen["video"] >= 20 and {"Pong": 77} in seen["stats"]:
                        break
        return seen

    with running(tmp_path, 3) as (web, host):
        seen = asyncio.run(asyncio.wait_for(stream(web), PATIENCE))
        assert seen["Response"]["app_name"] == "Desktop"
        assert host.client().serverinfo()["currentgame"] == str(DESKTOP)
        web.process.send_signal(signal.SIGTERM)
        assert web.process.wait(PATIENCE) == 0


def test_whoever_answers_is_believed_to_be_the_host(tmp_path: Path) -> None:
    with running(tmp_path, 2) as (web, _):
        web.process.kill()
        web.process.wait()
        web.data["hosts"]["1"]["pair_info"]["server_certificate"] = generate(HOST)[1]
        web.start()
        web.ready()
        assert web.fetch("GET", "/api/apps?host_id=1", HEADER)[0] == 200


def test_a_taken_port_ends_it_with_0(tmp_path: Path) -> None:
    with running(tmp_path, 2) as (web, _):
        first = web.process
        try:
            assert web.start().wait(PATIENCE) == 0
            assert "Address already in use (os error 98)" in web.output
        finally:
            first.kill()
            first.wait()


def test_term_is_not_obeyed_while_a_stream_is_open(tmp_path: Path) -> None:
    async def with_a_stream(web: Web) -> None:
        async with aiohttp.ClientSession(headers=HEADER) as session:
            async with session.ws_connect(web.url + "/api/host/stream"):
                web.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
                assert web.process.poll() is None

    with running(tmp_path, 2) as (web, _):
        asyncio.run(asyncio.wait_for(with_a_stream(web), PATIENCE))


def test_pairing_by_pin_rewrites_the_data(both: tuple[Web, Sunshine]) -> None:
    web, host = both
    path = web.folder / "server" / "data.json"
    before = json.loads(path.read_text())["hosts"]["1"]["pair_info"]["client_certificate"]

    async def pair() -> list[Any]:
        lines = []
        async with aiohttp.ClientSession(headers=HEADER) as session:
            async with session.post(web.url + "/api/pair", json={"host_id": 1}) as response:
                async for line in response.content:
                    lines.append(json.loads(line))
                    if "Pin" in lines[-1]:
                        words = {"pin": lines[-1]["Pin"], "name": "browser"}
                        for _ in range(100):
                            reply = await asyncio.to_thread(host.post, "/api/pin", words)
                            if reply.json["status"]:
                                break
                            await asyncio.sleep(0.05)
        return lines

    first, second = asyncio.run(asyncio.wait_for(pair(), PATIENCE))
    assert len(first["Pin"]) == 4
    assert second["Paired"]["paired"] == "Paired"
    assert len(host.clients()) == 2
    after = json.loads(path.read_text())
    assert after["hosts"]["1"]["pair_info"]["client_certificate"] != before
    assert path.stat().st_mode & 0o777 == 0o600


async def _first_of_v2(web: Web, app: int = DESKTOP) -> dict[str, Any]:
    """Format and the first sound of a browser that decodes everything."""
    settings = {"width": 1280, "height": 720, "fps": 30, "bitrate_kbps": 10000, "hdr": False}
    settings |= {"play_audio_local": False, "supported_codecs": 0x1101}
    seen: dict[str, Any] = {}
    async with aiohttp.ClientSession(headers=HEADER) as session:
        async with session.ws_connect(web.url + "/api/host/stream", autoping=False) as socket:
            await socket.send_json({"Init": {"host_id": 1, "app_id": app}})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    if message.data[0] == 3:
                        seen["sound"] = message.data[1:3]
                else:
                    found = json.loads(message.data)
                    seen.update(found.get("ConnectionComplete") or {})
                    if "Setup" in found:
                        seen["ice_servers"] = found["Setup"]["ice_servers"]
                        await socket.send_json({"SetTransport": "WebSocket"})
                        await socket.send_json({"StartStream": {"settings": settings}})
                if "format" in seen and "sound" in seen:
                    break
    return seen


async def _first_of_v3(web: Web) -> dict[str, Any]:
    request = {"host_id": 1, "app_id": DESKTOP, "width": 1280, "height": 720, "fps": 30}
    request |= {"bitrate": 10000, "hdr": False, "local_audio_play_mode": False}
    request |= {"supported_codecs": 0x1101, "preferred_codecs": 0}
    seen: dict[str, Any] = {}
    async with aiohttp.ClientSession(headers=HEADER) as session:
        async with session.ws_connect(web.url + "/api/host/stream/web_socket") as socket:
            await socket.send_json({"Request": request})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    if message.data[0] == 2:
                        seen["sound"] = message.data[1:3]
                else:
                    response = json.loads(message.data).get("Response") or {}
                    seen["format"] = response.get("video_codec") or seen.get("format")
                if seen.get("format") and "sound" in seen:
                    break
    return seen


_ALL = {"allow_codec_h265": True, "allow_codec_av1": True}


@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize(
    ("knobs", "permissions", "number"),
    [
        ({}, _ALL, 0x0001),
        ({"NVENC": "1", "NVENC_AV1": "1"}, {}, 0x0001),
        ({"NVENC": "1", "NVENC_AV1": "1"}, {"allow_codec_h265": True}, 0x0100),
        ({"NVENC": "1", "NVENC_AV1": "1"}, _ALL, 0x1000),
    ],
)
def test_the_best_codec_that_is_allowed_and_sound(
    tmp_path: Path, major: int, knobs: dict[str, str], permissions: dict[str, bool], number: int
) -> None:
    pulse = Pulse()
    environment = {f"STANDIN_SUNSHINE_{name}": value for name, value in knobs.items()}
    own = {"PULSE_SERVER": pulse.server, "XDG_RUNTIME_DIR": str(pulse.folder)}
    try:
        with running(tmp_path, major, {**environment, **own}, permissions) as (web, _):
            first = _first_of_v2(web) if major == 2 else _first_of_v3(web)
            seen = asyncio.run(asyncio.wait_for(first, PATIENCE))
        assert (seen["format"], seen["sound"]) == (number, b"\0\0")
    finally:
        pulse.remove()
