"""Streams: launch, RTSP, UDP (ports-streaming.txt, stream-lifecycle.txt, x-server-death.txt).

On UDP it does not speak the real protocols (RTP with FEC, ENet); ``tests.standins.client_stream``
knows what it speaks: the client sends its ping payload to base+9 and base+11 and ``MLHI`` plus the
connect data to base+10, again and again; it gets ``MLVF`` datagrams from base+9, ``MLAF`` datagrams
from base+11 (number, loudest sample of 65535, padding), and ``TERM`` at the end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from .announce import Announced
from .apps import Apps
from .audio import Audio, Sound
from .capture import Capture
from .config import Config
from .display import Video
from .log import Log

_SILENCE_SECONDS = 5.7
#: Of two streams that start so close to each other it dies (the real one in 3 of 10 pairs).
_TOO_CLOSE_SECONDS = 0.05
_GRACEFUL, _ERROR = 0x80030023, 0xFFFFFFFF
_START = b"\x00\x00\x00\x01"
#: A key frame begins as those of its codec do: SPS, VPS, temporal delimiter.
_IDR = {
    "h264": _START + b"\x67\x42\xc0\x1f" + _START + b"\x65" + b"\x88" * 1300,
    "hevc": _START + b"\x40\x01\x0c\x01" + _START + b"\x26\x01" + b"\x88" * 1300,
    "av1": b"\x12\x00\x0a\x0b" + b"\x88" * 1300,
}
_FRAME = {
    "h264": _START + b"\x41" + b"\x9a" * 1000,
    "hevc": _START + b"\x02\x01" + b"\x9a" * 1000,
    "av1": b"\x12\x00\x32" + b"\x9a" * 1000,
}


@dataclass
class Launch:
    """What /launch or /resume asked for."""

    key: bytes
    encrypted: bool
    cert: bytes
    query: dict[str, str]
    ping: bytes = field(default_factory=lambda: secrets.token_hex(8).upper().encode())
    connect: int = field(default_factory=lambda: secrets.randbits(32))
    born: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, query: dict[str, str], cert: bytes) -> Launch:
        encrypted = int(query.get("corever") or 0) >= 1
        return cls(bytes.fromhex(query["rikey"]), encrypted, cert, query)

    @property
    def environment(self) -> dict[str, str]:
        width, height, fps = self._mode
        return {
            "SUNSHINE_CLIENT_WIDTH": width,
            "SUNSHINE_CLIENT_HEIGHT": height,
            "SUNSHINE_CLIENT_FPS": fps,
        }

    @property
    def size(self) -> tuple[int, int]:
        width, height, _ = (int(word) if word.isdigit() else 0 for word in self._mode)
        return width, height

    @property
    def _mode(self) -> list[str]:
        return [*self.query.get("mode", "0x0x0").split("x"), "0", "0"][:3]

    @property
    def on_host(self) -> bool:
        """Whether sound is to be heard on the host too."""
        return self.query.get("localAudioPlayMode", "0") != "0"


@dataclass
class Stream:
    launch: Launch
    asked: Announced
    heard: float
    video: tuple[str, int] | None = None
    control: tuple[str, int] | None = None
    audio: tuple[str, int] | None = None
    blank: bool = False
    sent: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    capture: Capture | None = None


class Streams:
    """All streams of the process; the three UDP sockets are open while there is one."""

    def __init__(self, config: Config, log: Log, video: Video, apps: Apps):
        self._config, self._log, self.video, self._apps = config, log, video, apps
        self._lock = threading.RLock()
        self._expected: list[Launch] = []
        self._streams: list[Stream] = []
        self._sockets: list[socket.socket] = []
        self._began = -_TOO_CLOSE_SECONDS
        self._audio = Audio(config, log)

    @property
    def count(self) -> int:
        with self._lock:
            return len(self._streams)

    def expect(self, launch: Launch) -> None:
        with self._lock:
            self._expected.append(launch)

    def expected(self) -> Launch | None:
        """The launch that an RTSP connection belongs to; kept for ``ping_timeout``."""
        patience = self._config.number("ping_timeout", 10000, 1, 10**9) / 1000
        with self._lock:
            now = time.monotonic()
            self._expected = [x for x in self._expected if now - x.born < patience]
            return self._expected[0] if self._expected else None

    def start(self, launch: Launch, asked: Announced) -> bool:
        """At ANNOUNCE. A taken base+10 ends the process with SIGSEGV, and so does another start at
        the same time (sunshine.md)."""
        with self._lock:
            now = time.monotonic()
            if now - self._began < _TOO_CLOSE_SECONDS:
                os.kill(os.getpid(), signal.SIGSEGV)
            self._began = now
            if not self._streams and not self._open():
                return False
            self._streams.append(Stream(launch, asked, time.monotonic()))
            self.video.input.stream()
            log = f"New streaming session started [active sessions: {len(self._streams)}]"
            self._log.info(log)
            if len(self._streams) == 1:
                for at, sock in enumerate(self._sockets):
                    threading.Thread(target=self._hear, args=(at, sock), daemon=True).start()
                threading.Thread(target=self._send, daemon=True).start()
        return True

    def played(self, launch: Launch) -> None:
        """At PLAY, the last request on RTSP."""
        with self._lock:
            self._expected = [x for x in self._expected if x is not launch]

    def end_all(self, code: int = _GRACEFUL) -> None:
        self._end(lambda _: True, code)

    def finish(self) -> None:
        """The end of the process: PulseAudio is left as it was."""
        self.end_all()
        self._audio.join()

    def end_of(self, cert: bytes) -> None:
        """clients/update enabled=false: at once, with an error for the client."""
        self._end(lambda s: s.launch.cert == cert, _ERROR)

    def _end(self, which: Callable[[Stream], bool], code: int) -> None:
        with self._lock:
            for stream in [s for s in self._streams if which(s)]:
                if stream.control and self._sockets:
                    self._sockets[1].sendto(struct.pack(">4sI", b"TERM", code), stream.control)
                self._streams.remove(stream)
                if stream.capture:
                    stream.capture.end()
                stream.over.set()
                self._log.info("CLIENT DISCONNECTED")
            if not self._streams:
                for sock in self._sockets:
                    sock.close()
                self._sockets = []

    def _open(self) -> bool:
        address = self._config.bind
        for offset, name in ((10, "Control"), (9, "Video"), (11, "Audio")):
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, 2)
            port = self._config.port + offset
            try:
                if ":" in address:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                _bind(sock, (address, port))
            except OSError as e:
                self._log.fatal(f"Couldn't bind {name} server to port [{port}]: {e.strerror}")
                if name == "Control":
                    os.kill(os.getpid(), signal.SIGSEGV)
                sock.close()
                for other in self._sockets:
                    other.close()
                self._sockets = []
                return False
            sock.settimeout(0.2)
            self._sockets.append(sock)
        control, video, audio = self._sockets
        self._sockets = [video, control, audio]
        return True

    def _hear(self, at: int, sock: socket.socket) -> None:
        while True:
            try:
                data, peer = sock.recvfrom(2048)
            except TimeoutError:
                if sock.fileno() < 0:
                    return
                continue
            except OSError:
                return
            with self._lock:
                for stream in self._streams:
                    hello = b"MLHI" + struct.pack("<I", stream.launch.connect)
                    if data.startswith((stream.launch.ping, hello)):
                        stream.heard = time.monotonic()
                        self._known(stream, at, peer)

    def _known(self, stream: Stream, at: int, peer: tuple[str, int]) -> None:
        """With a first ping the picture begins, or the sound."""
        asked = stream.asked
        if at == 0 and stream.video is None:
            stream.blank = not self.video.open(asked.codec, asked.kbps)
            stream.capture = Capture(*stream.launch.size)
        if at == 2 and stream.audio is None:
            sound = Sound(
                asked.channels, asked.high_quality, asked.packet_ms, stream.launch.on_host
            )
            self._audio.play(sound, partial(self._send_sound, stream), stream.over)
        setattr(stream, ("video", "control", "audio")[at], peer)

    def _send_sound(self, stream: Stream, packet: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            if stream.audio and self._sockets:
                self._sockets[2].sendto(packet, stream.audio)

    def _send(self) -> None:
        while True:
            with self._lock:
                if not self._streams:
                    return
                now = time.monotonic()
                silent = [s for s in self._streams if now - s.heard > _SILENCE_SECONDS]
                pause = 1 / max(1, min(60, max(s.asked.fps for s in self._streams)))
                self._frames()
            if silent:
                # stream-lifecycle.txt: the application stays, the sockets close.
                self._end(silent.__contains__, _GRACEFUL)
            if not self.video.alive():
                self._log.error("Could not get image reply")
                os.abort()
            if not self._apps.running():
                self.end_all()
            time.sleep(pause)

    def _frames(self) -> None:
        for stream in self._streams:
            if stream.video is None or stream.blank:
                continue
            idr = stream.sent == 0
            head = struct.pack(">4sI?", b"MLVF", stream.sent, idr)
            try:
                self._sockets[0].sendto(
                    head + (_IDR if idr else _FRAME)[stream.asked.codec], stream.video
                )
            except OSError:
                continue
            stream.sent += 1


def _bind(sock: socket.socket, address: tuple[str, int]) -> None:
    """A socket of the last stream may take a moment to go, as a thread still waits on it."""
    for _ in range(8):
        try:
            return sock.bind(address)
        except OSError as e:
            if e.errno != errno.EADDRINUSE:
                raise
            time.sleep(0.05)
    return sock.bind(address)
