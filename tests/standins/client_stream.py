"""The client's half of a stream: RTSP as Moonlight speaks it, then the stand-in's UDP.

See ``sunshine_standin/streams.py`` for the datagrams; a real Sunshine ends the stream, because
this client speaks neither RTP nor ENet.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from .client import Session
from .sunshine_standin.rtsp import seal, unseal

_BEAT_SECONDS = 0.1
_LOST_SECONDS = 10.0


class StreamFailed(Exception):
    """RTSP was refused or no picture came."""


@dataclass
class Frame:
    number: int
    idr: bool
    data: bytes


@dataclass
class Packet:
    """A few milliseconds of sound; ``peak`` is its loudest sample, 0 to 65535."""

    number: int
    peak: int
    data: bytes


#: How Moonlight chooses: the first of these that both sides have.
_OFFERED = {"av1": "AV1/90000", "hevc": "sprop-parameter-sets=AAAAAU", "h264": ""}
_FORMATS = {"h264": 0, "hevc": 1, "av1": 2}


class Stream:
    """A running stream; ``on_frame`` and ``on_sound`` are called from threads of their own.

    ``codecs`` are what the client can decode, ``kbps`` what its user has set.
    """

    def __init__(
        self,
        session: Session,
        fps: int = 30,
        on_frame: Callable[[Frame], None] | None = None,
        on_end: Callable[[int], None] | None = None,
        on_sound: Callable[[Packet], None] | None = None,
        codecs: Collection[str] = ("h264",),
        kbps: int = 10000,
    ):
        url = urlsplit(session.url)
        self._host, self._port = url.hostname or "", url.port or 0
        self._sealed, self._key = url.scheme == "rtspenc", session.key
        self._fps, self.on_frame, self.on_end = fps, on_frame, on_end
        self.on_sound, self._codecs, self._kbps = on_sound, codecs, kbps
        self._number = 0
        self._stop = threading.Event()
        self.first = threading.Event()
        self.ended = threading.Event()
        #: Frames and bytes so far; the reason the host gave, None while it streams.
        self.frames = self.bytes = 0
        self.reason: int | None = None
        self.ports: dict[str, int] = {}
        #: The codec that was agreed on.
        self.codec = "h264"
        #: Packets of sound so far, and those of them that were not silent.
        self.audio_packets = self.audio_loud = 0
        #: The first packet came; the first that was not silent came.
        self.audio_first, self.audio_heard = threading.Event(), threading.Event()

    def start(self) -> None:
        """Handshake; raises StreamFailed."""
        self._ask("OPTIONS", "streamid=0")
        described = self._ask("DESCRIBE", "streamid=0")
        offered = [c for c, words in _OFFERED.items() if c in self._codecs and words in described]
        self.codec = offered[0] if offered else "h264"
        ping = connect = ""
        for kind in ("audio", "video", "control"):
            answer = self._ask("SETUP", f"streamid={kind}/0/0")
            self.ports[kind] = int(_header(answer, "Transport").partition("server_port=")[2])
            ping = _header(answer, "X-SS-Ping-Payload") or ping
            connect = _header(answer, "X-SS-Connect-Data") or connect
        self._ask("ANNOUNCE", "streamid=control/13/0", self._description())
        self._ask("PLAY", "/")
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._udp = {k: socket.socket(family, socket.SOCK_DGRAM) for k in self.ports}
        for kind, sock in self._udp.items():
            sock.connect((self._host, self.ports[kind]))
            sock.settimeout(0.2)
        hello = b"MLHI" + struct.pack("<I", int(connect or 0))
        words = {"video": ping.encode(), "audio": ping.encode(), "control": hello}
        for target in (lambda: self._beat(words), self._watch, self._listen, self._hear):
            threading.Thread(target=target, daemon=True).start()

    def stop(self) -> None:
        """Vanish, as a killed client does."""
        self._stop.set()

    def _description(self) -> str:
        """The lines without which the real host answers 400, and a few more."""
        lines = {
            "x-nv-video[0].clientViewportWd": 1280,
            "x-nv-video[0].clientViewportHt": 720,
            "x-nv-video[0].maxFPS": self._fps,
            "x-nv-video[0].packetSize": 1024,
            "x-nv-video[0].videoEncoderSlicesPerFrame": 1,
            "x-nv-video[0].maxNumReferenceFrames": 1,
            "x-nv-vqos[0].bitStreamFormat": _FORMATS[self.codec],
            "x-nv-vqos[0].bw.maximumBitrateKbps": self._kbps,
            "x-ml-video.configuredBitrateKbps": self._kbps,
            "x-nv-audio.surround.numChannels": 2,
            "x-nv-audio.surround.channelMask": 3,
            "x-nv-audio.surround.AudioQuality": 0,
            "x-nv-aqos.packetDuration": 10,
        }
        return "".join(f"a={name}:{value} \r\n" for name, value in lines.items())

    def _ask(self, command: str, target: str, body: str = "") -> str:
        self._number += 1
        lines = [f"{command} {target} RTSP/1.0", f"CSeq: {self._number}"]
        lines += ["X-GS-ClientVersion: 14", f"Host: {self._host}"]
        if body:
            lines += ["Content-type: application/sdp", f"Content-length: {len(body)}"]
        text = ("\r\n".join([*lines, "", ""]) + body).encode()
        try:
            with socket.create_connection((self._host, self._port), 10) as sock:
                sock.sendall(seal(self._key, self._number, b"C", text) if self._sealed else text)
                answer = b""
                while more := sock.recv(65536):
                    answer += more
        except OSError as e:
            raise StreamFailed(f"RTSP {command}: {e}") from e
        if self._sealed and len(answer) > 24:
            answer = unseal(self._key, b"H", answer[:8], answer[8:])
        words = answer.decode("latin-1")
        if not words.startswith("RTSP/1.0 200"):
            raise StreamFailed(f"RTSP {command}: {words.splitlines()[:1] or 'no answer'}")
        return words

    def _beat(self, words: dict[str, bytes]) -> None:
        while not self._stop.wait(_BEAT_SECONDS):
            for kind, sock in self._udp.items():
                try:
                    sock.send(words[kind])
                except OSError:
                    continue

    def _watch(self) -> None:
        """The control socket: only the end is told there."""
        while not self._stop.is_set():
            try:
                data = self._udp["control"].recv(2048)
            except OSError:
                continue
            if data.startswith(b"TERM"):
                self._finish(struct.unpack(">I", data[4:8])[0])

    def _listen(self) -> None:
        last = time.monotonic()
        while not self._stop.is_set():
            try:
                data = self._udp["video"].recv(65536)
            except OSError:
                if time.monotonic() - last > _LOST_SECONDS:
                    self._finish(-1)
                continue
            if not data.startswith(b"MLVF"):
                continue
            last = time.monotonic()
            number, idr = struct.unpack(">I?", data[4:9])
            self.frames += 1
            self.bytes += len(data) - 9
            self.first.set()
            if self.on_frame:
                self.on_frame(Frame(number, idr, data[9:]))

    def _hear(self) -> None:
        while not self._stop.is_set():
            try:
                data = self._udp["audio"].recv(65536)
            except OSError:
                continue
            if not data.startswith(b"MLAF"):
                continue
            number, peak = struct.unpack(">IH", data[4:10])
            self.audio_packets += 1
            self.audio_first.set()
            if peak:
                self.audio_loud += 1
                self.audio_heard.set()
            if self.on_sound:
                self.on_sound(Packet(number, peak, data[8:]))

    def _finish(self, reason: int) -> None:
        if self.reason is None:
            self.reason = reason
            self._stop.set()
            self.ended.set()
            if self.on_end:
                self.on_end(reason)


def _header(answer: str, name: str) -> str:
    found = re.search(rf"(?im)^{name}:\s*(.*?)\r?$", answer)
    return found[1] if found else ""
