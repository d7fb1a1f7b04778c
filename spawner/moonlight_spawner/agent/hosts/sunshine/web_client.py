"""moonlight-web-stream beside Sunshine: the browser's client, on loopback, already paired.

Facts read in the sources of v2.10.0 and v3.0.0-prerelease.4. Loopback is not private on a shared
node: it knows one user of a secret name and makes no others, and the gateway alone tells the name.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

from ....model.files import write_private
from ....processes.child import Child
from ....relay.upstream import Target, UpstreamError, call, listening_uids
from ...desktop.container import Node
from ...node.claims import WEBRTC_OFFSETS
from ..base import Answer, HostContext, HostFailed
from ..ice import ice_servers
from .files import DESKTOP_APP_ID, KeyPair

USER_HEADER = "x-moonlight-session-user"
_START_SECONDS = 60.0
_CALL_SECONDS = 3.0
_READING = ("GET", "HEAD")
# As it is now: a session outlives an update of its program.
_OURS = (Path(__file__).parent / "page.js").read_text()
# All that its page has to change for a stream: end one, and negotiate WebRTC (v3).
_WEBRTC_START = "/api/host/stream/webrtc"
_WEBRTC = re.compile(_WEBRTC_START + "(?:/[A-Za-z0-9-]+)?")
_CHANGES = {"/api/host/cancel": ("POST",)}
# On the WebSocket of a stream: which channel has video, and what is said where none will come.
_TEXT, _BINARY = 1, 2
_VIDEO_2, _VIDEO_3 = b"\x02", b"\x01"
_FAILED = (b"fatalDescription", b"ConnectionTerminated")
# Where our images have the release.
IMAGE_RELEASE = "/opt/moonlight-web"


def release_places(program: str, directory: str | None) -> list[Path]:
    """Where the release of ``program`` may be: as set, or beside it, or where our images have it."""
    if directory:
        return [Path(directory)]
    return [Path(program).resolve().parent, Path(IMAGE_RELEASE)]


def with_pages(places: list[Path]) -> Path | None:
    """The first of the places that has the client's pages, None if none has."""
    return next((p for p in places if (p / "static" / "stream.html").exists()), None)


class WebClient:
    """One web-server process and its files."""

    def __init__(
        self,
        context: HostContext,
        ports: dict[str, int],
        keys: KeyPair,
        server: KeyPair,
        codecs: set[str],
        bitrate_kbps: int,
        address: str,
    ):
        self._context = context
        self._codecs = codecs
        self._bitrate_kbps = bitrate_kbps
        self._address = address
        self._options = context.spec.sunshine
        self._directory = context.runtime / "web"
        self._user = secrets.token_hex(16)
        self._port = ports["web"]
        self._http_port = ports["http"]
        self._keys = keys
        self._server = server
        self._module_config = False
        self.child: Child | None = None

    @property
    def target(self) -> Target:
        headers = [(USER_HEADER.encode(), self._user.encode()), (b"host", b"localhost")]
        return Target(addresses=("127.0.0.1",), port=self._port, headers=headers, uid=os.geteuid())

    @property
    def version(self) -> int:
        """2 or 3, known once it answers."""
        return 2 if self._module_config else 3

    @property
    def websocket_path(self) -> str:
        """v3 has one for each transport."""
        return "/api/host/stream" if self._module_config else "/api/host/stream/web_socket"

    async def start(self) -> bool:
        """Write its files and start it; False if its port is taken.

        Raises
        ------
        HostFailed
        """
        program = self._context.container.which(self._options.web_command[0], self._context.env)
        if program is None:
            raise HostFailed(
                f"The browser's client {self._options.web_command[0]} (moonlight-web-stream) is not "
                f"installed on node {os.uname().nodename}. An administrator has to put it on PATH or "
                "into the setting `moonlight_web_command`."
            )
        server = self._directory / "server"
        server.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(server / "config.json", json.dumps(self._config(), indent=1))
        write_private(server / "data.json", json.dumps(self._data(), indent=1))
        self._link_release(program)
        command = [program, *self._options.web_command[1:], "-c", str(server / "config.json")]
        self.child = child = Child(
            "web",
            self._context.container.argv(command, self._context.env, str(self._directory)),
            self._context.env,
            self._context.log_dir / "stream.log",
            str(self._directory),
        )
        try:
            await child.start()
        except OSError as e:
            raise HostFailed(f"moonlight-web-stream cannot be run: {e.strerror}.") from e
        return await self._wait(child)

    async def stop(self) -> None:
        if self.child:
            await self.child.stop(1.0)

    def begun(self, kind: int, data: bytes) -> bool:
        """Whether the stream's start is over: a picture has come, or will come by WebRTC, or none will."""
        if kind == _BINARY:
            return data[:1] == (_VIDEO_2 if self._module_config else _VIDEO_3)
        over = _FAILED if not self._options.webrtc else (*_FAILED, b'{"ConnectionComplete"')
        return kind == _TEXT and any(word in data for word in over)

    def starts_stream(self, method: str, path: str) -> bool:
        """By WebRTC, v3's server asks Sunshine for the stream and is connected to it before it answers."""
        return method == "POST" and path == _WEBRTC_START

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        """Nothing but what streams: its API would let a page delete, change or pair the host.

        What reads may be asked for anything; what changes something is known by name.
        """
        if websocket:
            allowed = path == self.websocket_path
        elif _WEBRTC.fullmatch(path):
            allowed = self._options.webrtc and self.version == 3
        else:
            allowed = method in (*_READING, *_CHANGES.get(path, ()))
        return "" if allowed else "not_for_pages"

    def answer(self, path: str) -> Answer | None:
        """The page that opens the stream itself, and its knowledge of where it is.

        ``config.js`` tells the page its prefix. It works that out from its own address, so one
        server is right behind every door at the same time.
        """
        if path == "/":
            where = f"stream.html?hostId=1&appId={DESKTOP_APP_ID}"
            return 302, [(b"location", where.encode()), (b"cache-control", b"no-store")], b""
        if path == "/config.js":
            here = "import.meta.url" if self._module_config else "document.currentScript.src"
            value = f'{{"path_prefix": new URL(".", {here}).pathname.replace(/\\/$/, "")}}'
            head = "export default" if self._module_config else "window.__CONFIG_JS__ ="
            headers = [(b"content-type", b"text/javascript"), (b"cache-control", b"no-store")]
            return 200, headers, f"{head} {value}\n{_OURS}".encode()
        return None

    def _link_release(self, program: str) -> None:
        """Its pages, and v2's streamer, are found relative to its working directory."""
        release = self._release(program)
        for name in ("static", "streamer"):
            link = self._directory / name
            if not link.is_symlink():
                link.symlink_to(release / name)

    def _release(self, program: str) -> Path:
        """Where the release is: as set, in the image, or near the program."""
        places = release_places(program, self._options.web_directory)
        if not isinstance(self._context.container, Node):
            return places[-1]  # it cannot be looked at from here
        found = with_pages(places)
        if found is None:
            raise HostFailed(
                f"The pages of moonlight-web-stream (static/stream.html) are not in "
                f"{' or '.join(map(str, places))}. Name the directory of its release in the setting "
                "`moonlight_web_directory`."
            )
        return found

    async def _wait(self, child: Child) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while loop.time() < deadline:
            if not child.running:
                if listening_uids(self._port):  # and not by us
                    return False
                raise HostFailed(f"moonlight-web-stream ended at once: {child.last_words()}")
            try:
                # Bounded: it may be somebody else who listens there, and says nothing.
                headers = self.target.headers
                _, text = await call(
                    self.target, "GET", "/config.js", headers, seconds=_CALL_SECONDS
                )
                # v2 has a module, v3 a script.
                self._module_config = text.lstrip().startswith(b"export")
                return True
            except UpstreamError:
                await asyncio.sleep(0.1)
        raise HostFailed(f"moonlight-web-stream does not answer after {_START_SECONDS:g} s.")

    def _config(self) -> dict[str, Any]:
        return {
            "data_storage": {
                "type": "json",
                "path": str(self._directory / "server/data.json"),
                # It has a default only where the whole of data_storage is left out.
                "session_expiration_check_interval": {"secs": 300, "nanos": 0},
            },
            "web_server": {
                "bind_address": f"127.0.0.1:{self._port}",
                "url_path_prefix": "",
                "first_login_create_admin": False,
                "first_login_assign_global_hosts": False,
                "forwarded_header": {
                    "username_header": USER_HEADER,
                    "auto_create_missing_user": False,
                },
            },
            "webrtc": {
                "ice_servers": ice_servers(self._options),
                # The end of the session's block, which Sunshine leaves free.
                "port_range": {
                    "min": self._http_port + WEBRTC_OFFSETS[0],
                    "max": self._http_port + WEBRTC_OFFSETS[-1],
                },
            },
            # At Info it writes every request's headers, the secret user name among them.
            "log": {"level_filter": "Warn", "file_path": None},
            "moonlight": {"default_http_port": self._http_port, "pair_device_name": "browser"},
        }

    def _data(self) -> dict[str, Any]:
        """One user of a secret name, one host, paired on both sides before either starts."""
        request = self._context.request
        width, height = request.size
        webrtc = self._options.webrtc
        return {
            "version": "3",
            "users": {
                "1": {
                    "role_id": 1,
                    "name": self._user,
                    "password": None,
                    "client_unique_id": "hpc",
                }
            },
            "hosts": {
                "1": {
                    "owner": 1,
                    "address": self._address,
                    "http_port": self._http_port,
                    "pair_info": {
                        "client_private_key": self._keys.key,
                        "client_certificate": self._keys.certificate,
                        "server_certificate": self._server.certificate,
                    },
                    "cache": {"name": os.uname().nodename, "mac": None},
                }
            },
            "roles": {
                "1": {
                    "name": "User",
                    "ty": "User",
                    "default_settings": {
                        "dataTransport": "auto" if webrtc else "websocket",
                        "videoCodec": "h264",
                        "bitrate": self._bitrate_kbps,
                        "fps": request.fps,
                        "videoSize": "custom",
                        "videoSizeCustom": {"width": width, "height": height},
                        "mouseMode": "follow",
                    },
                    "permissions": {
                        "allow_add_hosts": False,
                        "maximum_bitrate_kbps": self._bitrate_kbps,
                        "allow_codec_h264": True,
                        "allow_codec_h265": "HEVC" in self._codecs,
                        "allow_codec_av1": "AV1" in self._codecs,
                        "allow_hdr": False,
                        "allow_transport_webrtc": webrtc,
                        "allow_transport_websockets": True,
                    },
                }
            },
        }
