"""For tests: moonlight-web's stand-in as a process, paired with a Sunshine stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.waiting import wait_until

from .client import Identity
from .sunshine_running import HERE, Sunshine, free_base, sunshine
from .sunshine_standin.identity import HOST, generate

PROGRAM = HERE / "web-server"
PACKAGE = HERE / "moonlight_web_package"
SECRET = "0123456789abcdef0123456789abcdef"
HEADER = {"X-Session-User": SECRET}
PREFIX = "/node/n01/8080"
DESKTOP = 958645192


class Web:
    """The process and its two files, both sides already paired."""

    def __init__(self, folder: Path, major: int, sunshine_port: int, server_cert: str):
        self.folder, self.major = folder, major
        self.port = free_base()
        self.identity = Identity.new()
        self.url = f"http://127.0.0.1:{self.port}{PREFIX}"
        interval = {"secs": 300, "nanos": 0}
        self.config: dict[str, Any] = {
            "data_storage": {
                "type": "json",
                "path": "server/data.json",
                "session_expiration_check_interval": interval,
            },
            "web_server": {
                "bind_address": f"127.0.0.1:{self.port}",
                "url_path_prefix": PREFIX,
                "first_login_create_admin": False,
                "first_login_assign_global_hosts": False,
                "forwarded_header": {
                    "username_header": "X-Session-User",
                    "auto_create_missing_user": False,
                },
            },
            "webrtc": {"ice_servers": []},
        }
        pair = {
            "client_private_key": self.identity.key,
            "client_certificate": self.identity.cert,
            "server_certificate": server_cert,
        }
        # The example of the contract.
        self.data: dict[str, Any] = {
            "version": "3",
            "users": {
                "1": {"role_id": 1, "name": SECRET, "password": None, "client_unique_id": "hpc"}
            },
            "hosts": {
                "1": {
                    "owner": 1,
                    "address": "127.0.0.1",
                    "http_port": sunshine_port,
                    "pair_info": pair,
                    "cache": {"name": "node01", "mac": None},
                }
            },
            "roles": {
                "1": {
                    "name": "User",
                    "ty": "User",
                    "default_settings": {
                        "dataTransport": "websocket",
                        "videoCodec": "h264",
                        "bitrate": 10000,
                        "fps": 60,
                        "videoSize": "custom",
                        "videoSizeCustom": {"width": 1920, "height": 1080},
                        "mouseMode": "follow",
                    },
                    "permissions": {
                        "allow_add_hosts": False,
                        "maximum_bitrate_kbps": None,
                        "allow_codec_h264": True,
                        "allow_codec_h265": False,
                        "allow_codec_av1": False,
                        "allow_hdr": False,
                        "allow_transport_webrtc": False,
                        "allow_transport_websockets": True,
                    },
                }
            },
        }

    def start(self) -> subprocess.Popen[bytes]:
        server = self.folder / "server"
        server.mkdir(exist_ok=True)
        text = "// the site's own\n" + json.dumps(self.config, indent=1)
        (server / "config.json").write_text(text + "/* end */")
        (server / "data.json").write_text(json.dumps(self.data))
        (server / "data.json").chmod(0o600)
        for name in ("static", "streamer"):
            if not (self.folder / name).exists():
                (self.folder / name).symlink_to(PACKAGE / name)
        env = {"PATH": os.environ["PATH"], "STANDIN_MOONLIGHT_WEB": str(self.major)}
        with (self.folder / "out").open("wb") as out:
            self.process = subprocess.Popen(
                [PROGRAM], cwd=self.folder, env=env, stdout=out, stderr=out, start_new_session=True
            )
        return self.process

    @property
    def output(self) -> str:
        return (self.folder / "out").read_text()

    def ready(self) -> None:
        def answered() -> bool:
            assert self.process.poll() is None, self.output
            return self.fetch("GET", "/config.js", {})[0] == 200

        assert wait_until(answered), self.output

    def fetch(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None
    ) -> tuple[int, str]:
        async def ask() -> tuple[int, str]:
            async with aiohttp.ClientSession(headers=headers) as session:
                try:
                    async with session.request(method, self.url + path, json=body) as response:
                        return response.status, await response.text()
                except aiohttp.ClientConnectionError:
                    return 0, ""

        return asyncio.run(ask())


@contextlib.contextmanager
def running(
    folder: Path,
    major: int,
    environment: Mapping[str, str] | None = None,
    permissions: Mapping[str, bool] | None = None,
) -> Iterator[tuple[Web, Sunshine]]:
    """Both processes, each of which was told of the other before it started.

    ``environment`` is Sunshine's; ``permissions`` are changes of the role's.
    """
    key, cert = generate(HOST)
    host_folder = folder / "host"
    host_folder.mkdir()
    (host_folder / "pkey.pem").write_text(key)
    (host_folder / "cert.pem").write_text(cert)
    base = free_base()
    (folder / "web").mkdir()
    web = Web(folder / "web", major, base, cert)
    device = {"name": "browser", "cert": web.identity.cert, "uuid": "A", "enabled": "true"}
    state = {
        "root": {"uniqueid": "D3EEA97D-5B1C-4F0E-9C56-0A3B7F1E2D44", "named_devices": [device]}
    }
    web.data["roles"]["1"]["permissions"].update(permissions or {})
    with sunshine(host_folder, base=base, state=state, environment=environment) as host:
        web.start()
        try:
            web.ready()
            yield web, host
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(web.process.pid, signal.SIGKILL)
            web.process.wait()
