"""selkies (PyPI), the embedded default: H.264 over one WebSocket, no image and no GPU needed; or by
WebRTC, where the site has it (:mod:`.selkies_transport`).

Facts measured on selkies 2.1.0 with pixelflux 2.2.1: it is ready in 0.7 to 2 s on a Unix socket,
whose mode follows the umask. Its port answers even when pixelflux could not load, so only a
picture proves that it works. On TERM it does what it has to in 0.1 s, and then waits up to 2 s for a thread
of its own that waits, too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import posixpath
import shlex
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import unquote

from ...model.files import write_private
from ...model.records import Spec
from ...model.texts import json_of
from ...processes.child import Child
from ...processes.environment import find
from ...relay.replies import NO_STORE
from ...relay.upstream import Target
from ..node.claims import WEBRTC_OFFSETS
from .base import Answer, Host, HostContext, HostFailed
from .ice import ice_servers
from .joined import BINARY, TEXT, joined
from .selkies_start import ALONE
from .selkies_transport import SERVERS, SWITCH, WEBSOCKET_PATH, WEBSOCKETS, Transport

log = logging.getLogger(__name__)

#: The page of its client without the panel: the viewer around it has those tools.
PAGE = "/core.html"
# As it is now: a session outlives an update of its program.
_PAGE = (Path(__file__).parent / "selkies.html").read_bytes()
_PLACE = b"{transport}"  # in it
_START_SECONDS = 90.0
_LOOK_SECONDS = 0.02  # between two looks whether it listens
_PICTURE_SECONDS = 90.0
_END_SECONDS = 0.5
_LOG = "stream.log"
_START = Path(__file__).with_name("selkies_start.py")
_VIDEO_FRAME = 0x04  # first byte of a binary message with H.264
_USUAL_KBPS = 8000  # its own default, to which a client may add up to the user's limit
_CLIPBOARD = {"both": "true", "to_desktop": "in", "from_desktop": "out", "off": "false"}
# Its own ways for files, which nothing uses (:mod:`...transfers`): it refuses them by itself, and the gateway
# does not even ask it.
_FILES = ("api/upload", "api/files", "api/print")
_INSTALL = "An administrator has to install it there: pip install 'moonlight-hpc[selkies]'."


class SelkiesHost(Host):
    """One selkies process on a Unix socket in the session's private directory."""

    name = "selkies"
    signaling_path = WEBSOCKET_PATH
    watching = "role=viewer"
    watching_page = f"{PAGE}#shared"
    watching_files = r"/(src|assets|codecs|jsdb)/[A-Za-z0-9_-][A-Za-z0-9._/-]*"

    @classmethod
    def binds_ports(cls, spec: Spec) -> bool:
        return spec.sunshine.webrtc

    @classmethod
    async def ahead(
        cls, spec: Spec, env: Mapping[str, str], runtime: Path, log_dir: Path
    ) -> Child | None:
        program = _program()
        if program is None or not of_this_python(program):
            return None
        isolated = ["-I"] if sys.flags.isolated else []
        argv = [sys.executable, *isolated, str(_START), program, *_arguments(spec, runtime)]
        child = Child("host", argv, env, log_dir / _LOG, env["HOME"], told=True)
        try:
            await child.start()
        except OSError:  # the start itself says why
            return None
        return child

    def __init__(self, context: HostContext):
        super().__init__(context)
        self._ahead = context.ahead
        self._child = self._ahead or Child("host", [], self.env, context.log_dir / _LOG)
        self._transport = Transport(self.target) if context.spec.sunshine.webrtc else None

    @property
    def child(self) -> Child:
        return self._child

    @property
    def _socket(self) -> Path:
        return _socket_in(self.context.runtime)

    @property
    def _servers(self) -> Path:
        return self.context.runtime / "ice.json"

    async def start(self) -> None:
        program = _program()
        if program is None:
            raise HostFailed(f"selkies is not installed on this node. {_INSTALL}")
        self._socket.unlink(missing_ok=True)
        if self._transport:
            self._transport.begins()
        await self._begin(program)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while not await self._answers():
            if not self._child.running:
                raise HostFailed(f"selkies ended at once: {self._child.last_words()}")
            if loop.time() > deadline:
                raise HostFailed(f"selkies does not answer after {_START_SECONDS:g} s.")
            await asyncio.sleep(_LOOK_SECONDS)

    async def picture(self) -> str:
        try:
            return await asyncio.wait_for(self._first_frame(), _PICTURE_SECONDS)
        except asyncio.TimeoutError as e:
            words = self._child.last_words(2)
            raise HostFailed(
                f"selkies runs but delivers no picture after {_PICTURE_SECONDS:g} s. Often a "
                "library is missing on the node (Debian: libgbm1 libpixman-1-0 libxkbcommon0). "
                f"It said: {words}"
            ) from e
        except OSError as e:
            raise HostFailed(f"selkies went away: {e}") from e

    def answer(self, path: str) -> Answer | None:
        path = path.partition("?")[0]
        if path == SERVERS and self._transport:
            # Asked before the page comes to negotiate, by which selkies knows of WebRTC.
            return 200, [(b"content-type", b"application/json"), *NO_STORE], self._ice().encode()
        if path != PAGE:
            return None
        by = self._transport.proposed if self._transport else WEBSOCKETS
        page = _PAGE.replace(_PLACE, by.encode())
        return 200, [(b"content-type", b"text/html;charset=utf-8"), *NO_STORE], page

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        plain = posixpath.normpath(unquote(path)).lstrip("/").lower()
        if plain.startswith(SWITCH.lstrip("/")):  # how the picture comes is for who comes to say
            return "not_for_pages"
        return "files_off" if plain.startswith(_FILES) else ""

    def around_stream(self, path: str) -> AbstractAsyncContextManager[None]:
        return self._transport.stream(path) if self._transport else super().around_stream(path)

    async def stop(self) -> None:
        await self._child.stop(_END_SECONDS)

    def servers_changed(self) -> None:
        if self._transport:  # selkies reads it again whenever it is another one
            try:
                write_private(self._servers, self._ice())
            except OSError as e:
                log.error("selkies is not told of its new TURN credentials: %s", e)

    def target(self) -> Target:
        return Target(path=str(self._socket))

    async def _begin(self, program: str) -> None:
        """The one that was begun before, if it is of this display, or another one."""
        context = self.context
        ahead, self._ahead = self._ahead, None
        if ahead and ahead.env["DISPLAY"] != self.env["DISPLAY"]:
            await ahead.stop(0.0)
            ahead = None
        begin = (context.spec, self.env, context.runtime, context.log_dir)
        ahead = ahead or await self.ahead(*begin)
        more = [f"--audio-enabled={str(context.audio).lower()}", *self._webrtc()]
        if ahead:
            self._child = ahead
            ahead.tell(json.dumps({"arguments": more, "environment": self.env}).encode() + b"\n")
            return
        argv = [program, *_arguments(context.spec, context.runtime), *more]
        self._child = Child("host", argv, self.env, context.log_dir / _LOG, self.env["HOME"])
        try:
            await self._child.start()
        except OSError as e:
            raise HostFailed(f"selkies cannot be run on this node: {e.strerror}. {_INSTALL}") from e

    def _webrtc(self) -> list[str]:
        """What it is told of WebRTC. Its file of servers is the first that it looks for, and without
        one it would go by public servers of its own."""
        if not self._transport:
            return [ALONE]
        write_private(self._servers, self._ice())
        port = self.context.ports + WEBRTC_OFFSETS[0]
        return [
            "--enable-dual-mode=true",
            f"--rtc-config-json={self._servers}",
            f"--webrtc-udp-mux-port={port}",
        ]

    def _ice(self) -> str:
        return json.dumps({"iceServers": ice_servers(self.context.spec.sunshine)})

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        writer.close()
        return True

    async def _first_frame(self) -> str:
        """Join as a client does and wait for a frame, then for what selkies says of its encoder."""
        width, height = self.context.request.size
        settings = {
            "displayId": "primary",
            "initialClientWidth": width,
            "initialClientHeight": height,
            "framerate": self.context.request.fps,
        }
        encoder, seen = "", False
        async with joined(self._socket, self.signaling_path) as connection:
            await connection.send("SETTINGS," + json.dumps(settings))
            async for kind, data in connection.messages():
                if kind == BINARY:
                    seen = seen or data[:1] == bytes([_VIDEO_FRAME])
                elif kind == TEXT:
                    encoder = _encoder(data.decode("utf-8", "replace")) or encoder
                if seen and encoder:
                    return encoder
        raise HostFailed("selkies closed the connection before a picture came.")


def _socket_in(runtime: Path) -> Path:
    return runtime / "selkies.sock"


def _arguments(spec: Spec, runtime: Path) -> list[str]:
    """What it is told, but whether there is sound, and WebRTC."""
    # Access is the gateway's business: the socket lies in a directory of mode 0700.
    argv = ["--unix-socket", str(_socket_in(runtime))]
    argv += ["--enable-basic-auth=false", "--enable-https=false", "--mode=websockets"]
    argv += ["--microphone-enabled=false", "--webcam-enabled=false"]
    argv += ["--printing-enabled=false", "--command-enabled=false"]
    # A still screen costs 5 % of a core instead of 25 %.
    argv += ["--video-streaming-mode=false", f"--framerate={spec.request.fps}"]
    argv += ["--ui-title=Moonlight HPC", "--enable-sharing=false"]
    argv += [f"--enable-clipboard={_CLIPBOARD[spec.clipboard]}"]
    argv += ["--file-transfers=none"]
    most = spec.request.bitrate_kbps
    return [*argv, f"--video-bitrate={min(most, _USUAL_KBPS)},100-{most}"]


def _program() -> str | None:
    """selkies beside our own Python, else on PATH."""
    beside = Path(sys.executable).parent / "selkies"
    return str(beside) if beside.exists() else find("selkies")


def of_this_python(program: str) -> bool:
    """Whether it is a script that this very Python runs.

    An interpreter whose path is too long for a first line stands in the second, behind a shell's.
    """
    try:
        with open(program, encoding="utf-8") as f:
            first, second = f.readline(4096), f.readline(4096)
        named = first[2:].strip()
        behind_shell = Path(named).name == "sh"  # and not anywhere on its way, as in /shared
        words = shlex.split(second.removeprefix("'''exec'")) if behind_shell else [named]
    except (OSError, ValueError):  # a program, and no text
        return False
    python = Path(words[0] if words else "")
    own = Path(sys.executable)
    same = os.path.realpath(python) == os.path.realpath(own)
    return same and python.parent == own.parent  # the same environment, too


def _encoder(text: str) -> str:
    """The encoder in a ``stream_info`` message, empty for any other message."""
    if '"stream_info"' not in text:
        return ""
    try:
        info = json_of(text)["info"]
    except (ValueError, KeyError, TypeError):
        return "video"
    words = [str(info[k]) for k in ("encoder", "codec") if isinstance(info.get(k), str)]
    return " ".join(dict.fromkeys(words)) or "video"
