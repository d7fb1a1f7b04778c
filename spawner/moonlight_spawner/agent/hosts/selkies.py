"""selkies (PyPI), the embedded default: H.264 over one WebSocket, no image and no GPU needed.

Facts measured on selkies 2.1.0 with pixelflux 2.2.1: it is ready in 0.7 to 2 s on a Unix socket,
whose mode follows the umask. Its port answers even when pixelflux could not load, so only a
picture proves that it works. TERM ends it in about 2 s.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
import sys
from pathlib import Path
from urllib.parse import unquote

from ...processes.child import Child
from ...processes.environment import find
from ...relay.replies import NO_STORE
from ...relay.upstream import Target
from ..display.clipboard import FROM_DESKTOP, TO_DESKTOP
from .base import Answer, Host, HostFailed

#: The page of its client without the panel: the viewer around it has those tools.
PAGE = "/core.html"
_START_SECONDS = 90.0
_PICTURE_SECONDS = 90.0
_WEBSOCKET = "/api/websockets"
_VIDEO_FRAME = 0x04  # first byte of a binary message with H.264
_USUAL_KBPS = 8000  # its own default, to which a client may add up to the user's limit
_CLIPBOARD = {"both": "true", "to_desktop": "in", "from_desktop": "out", "off": "false"}
_FILES = {"both": "upload,download", "to_desktop": "upload", "from_desktop": "download"}
# selkies refuses by itself what its option does not allow; the gateway does not even ask it.
_UPLOADS = ("api/upload",)
_DOWNLOADS = ("api/files", "api/print")
_INSTALL = "An administrator has to install it there: pip install 'moonlight-hpc[selkies]'."


class SelkiesHost(Host):
    """One selkies process on a Unix socket in the session's private directory."""

    name = "selkies"
    signaling_path = _WEBSOCKET

    @property
    def child(self) -> Child:
        return self._child

    @property
    def _socket(self) -> Path:
        return self.context.runtime / "selkies.sock"

    async def start(self) -> None:
        program = self._program()
        # Access is the gateway's business: the socket lies in a directory of mode 0700.
        argv = [program, "--unix-socket", str(self._socket)]
        argv += ["--enable-basic-auth=false", "--enable-https=false", "--mode=websockets"]
        argv += ["--enable-dual-mode=false", "--microphone-enabled=false"]
        argv += [f"--audio-enabled={str(self.context.audio).lower()}"]
        argv += ["--webcam-enabled=false", "--printing-enabled=false", "--command-enabled=false"]
        # A still screen costs 5 % of a core instead of 25 %.
        argv += ["--video-streaming-mode=false", f"--framerate={self.context.request.fps}"]
        argv += ["--ui-title=Moonlight HPC", "--enable-sharing=false"]
        argv += [f"--enable-clipboard={_CLIPBOARD[self.context.spec.clipboard]}"]
        argv += [f"--file-transfers={_FILES.get(self.files, 'none')}"]
        most = self.context.request.bitrate_kbps
        argv += [f"--video-bitrate={min(most, _USUAL_KBPS)},100-{most}"]
        self._child = Child(
            "host", argv, self.env, self.context.log_dir / "stream.log", self.env["HOME"]
        )
        self._socket.unlink(missing_ok=True)
        try:
            await self._child.start()
        except OSError as e:
            raise HostFailed(f"selkies cannot be run on this node: {e.strerror}. {_INSTALL}") from e
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_SECONDS
        while not await self._answers():
            if not self._child.running:
                raise HostFailed(f"selkies ended at once: {self._child.last_words()}")
            if loop.time() > deadline:
                raise HostFailed(f"selkies does not answer after {_START_SECONDS:g} s.")
            await asyncio.sleep(0.1)

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

    @property
    def files(self) -> str:
        return self.context.spec.files

    def answer(self, path: str) -> Answer | None:
        if path.partition("?")[0] != PAGE:
            return None
        page = (Path(__file__).parent / "selkies.html").read_bytes()
        return 200, [(b"content-type", b"text/html;charset=utf-8"), *NO_STORE], page

    def refusal(self, method: str, path: str, websocket: bool) -> str:
        closed: tuple[str, ...] = () if self.files in TO_DESKTOP else _UPLOADS
        closed += () if self.files in FROM_DESKTOP else _DOWNLOADS
        plain = posixpath.normpath(unquote(path)).lstrip("/").lower()
        return "files_off" if plain.startswith(closed) else ""

    def target(self) -> Target:
        return Target(path=str(self._socket))

    def _program(self) -> str:
        """selkies beside our own Python, else on PATH."""
        beside = Path(sys.executable).parent / "selkies"
        if beside.exists():
            return str(beside)
        found = find("selkies")
        if found is None:
            raise HostFailed(f"selkies is not installed on this node. {_INSTALL}")
        return found

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        writer.close()
        return True

    async def _first_frame(self) -> str:
        """Join as a client does and wait for a frame, then for what selkies says of its encoder."""
        import aiohttp  # comes with selkies

        width, height = self.context.request.size
        settings = {
            "displayId": "primary",
            "initialClientWidth": width,
            "initialClientHeight": height,
            "framerate": self.context.request.fps,
        }
        connector = aiohttp.UnixConnector(str(self._socket))
        encoder, seen = "", False
        async with aiohttp.ClientSession(connector=connector) as client:
            async with client.ws_connect(f"http://localhost{self.signaling_path}") as ws:
                await ws.send_str("SETTINGS," + json.dumps(settings))
                async for message in ws:
                    if message.type is aiohttp.WSMsgType.BINARY:
                        seen = seen or message.data[:1] == bytes([_VIDEO_FRAME])
                    elif message.type is aiohttp.WSMsgType.TEXT:
                        encoder = _encoder(message.data) or encoder
                    if seen and encoder:
                        return encoder
        raise HostFailed("selkies closed the connection before a picture came.")


def _encoder(text: str) -> str:
    """The encoder in a ``stream_info`` message, empty for any other message."""
    if '"stream_info"' not in text:
        return ""
    try:
        info = json.loads(text)["info"]
    except (ValueError, KeyError, TypeError):
        return "video"
    words = [str(info[k]) for k in ("encoder", "codec") if isinstance(info.get(k), str)]
    return " ".join(dict.fromkeys(words)) or "video"
