"""RTSP on base+21: OPTIONS, DESCRIBE, SETUP, ANNOUNCE, PLAY, plain or sealed with AES-GCM.

One request a connection, as Moonlight sends them. Sealed messages carry the port numbers of the
UDP sockets, which is why a relay has to map them 1:1 (sunshine.md).
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .announce import Announced
from .config import Config
from .log import Log
from .streams import Launch, Streams

_SEALED = 0x80000000
_SDP = "a=x-ss-general.featureFlags:3\na=x-ss-general.encryptionSupported:5\n\
a=x-ss-general.encryptionRequested:1\n"
_HEVC, _AV1 = "sprop-parameter-sets=AAAAAU\n", "a=rtpmap:98 AV1/90000\n"
_SOUND = "a=fmtp:97 surround-params=21101\n"


def seal(key: bytes, number: int, side: bytes, text: bytes) -> bytes:
    """Header (length with the top bit set, sequence number), tag, text."""
    sealed = AESGCM(key).encrypt(_nonce(number, side), text, None)
    return struct.pack(">II", _SEALED | len(text), number) + sealed[-16:] + sealed[:-16]


def unseal(key: bytes, side: bytes, head: bytes, rest: bytes) -> bytes:
    """The text of a message whose first 8 bytes are ``head``. InvalidTag if it is not ours."""
    _, number = struct.unpack(">II", head)
    return AESGCM(key).decrypt(_nonce(number, side), rest[16:] + rest[:16], None)


def _nonce(number: int, side: bytes) -> bytes:
    return struct.pack("<I", number) + bytes(6) + side + b"R"


class Rtsp(threading.Thread):
    """The RTSP server."""

    def __init__(self, sock: socket.socket, config: Config, log: Log, streams: Streams):
        super().__init__(daemon=True)
        self._sock, self._config, self._log, self._streams = sock, config, log, streams
        self._number = 0

    def run(self) -> None:
        while True:
            try:
                sock, _ = self._sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            sock.settimeout(5)
            launch = self._streams.expected()
            if launch is None:
                return  # nobody launched anything: the connection is closed at once
            try:
                text = self._read(sock, launch)
            except (OSError, InvalidTag, struct.error):
                self._log.error("Failed to verify RTSP message tag")
                sock.sendall(b"RTSP/1.0 400 BAD REQUEST\r\nCSeq: 0\r\n\r\n")
                return
            answer = self._answer(text.decode("latin-1"), launch).encode()
            if launch.encrypted:
                self._number += 1
                answer = seal(launch.key, self._number, b"H", answer)
            try:
                sock.sendall(answer)
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                return

    def _read(self, sock: socket.socket, launch: Launch) -> bytes:
        if launch.encrypted:
            head = _exactly(sock, 8)
            size = struct.unpack(">I", head[:4])[0]
            if not size & _SEALED:
                raise struct.error("Rejecting unencrypted RTSP message")
            return unseal(launch.key, b"C", head, _exactly(sock, 16 + (size & ~_SEALED)))
        data = b""
        while True:
            head, found, body = data.partition(b"\r\n\r\n")
            size = re.search(rb"(?im)^content-length:\s*(\d+)", head)
            if found and len(body) >= (int(size[1]) if size else 0):
                return data
            more = sock.recv(4096)
            if not more:
                raise ConnectionError("closed")
            data += more

    def _answer(self, text: str, launch: Launch) -> str:
        head, _, body = text.partition("\r\n\r\n")
        command, target, *_ = [*head.split(" ", 2), ""]
        found = re.search(r"(?im)^cseq:\s*(\d+)", head)
        lines = [f"CSeq: {found[1] if found else 0}"]
        payload, status = "", "200 OK"
        if command == "DESCRIBE":
            video = self._streams.video  # by these lines Moonlight chooses the codec (source)
            hevc, av1 = _HEVC * (video.hevc_mode != 1), _AV1 * (video.av1_mode != 1)
            payload = _SDP + hevc + av1 + _SOUND
        elif command == "SETUP":
            kind = target.partition("=")[2].partition("/")[0]
            ports = {"video": 9, "control": 10, "audio": 11}
            if kind in ports:
                lines.append("Session: DEADBEEFCAFE;timeout = 90")
                lines.append(f"Transport: server_port={self._config.port + ports[kind]}")
                if kind == "control":
                    lines.append(f"X-SS-Connect-Data: {launch.connect}")
                else:
                    lines.append(f"X-SS-Ping-Payload: {launch.ping.decode()}")
            else:
                status = "404 NOT FOUND"
        elif command == "ANNOUNCE":
            status = self._announce(head, body, launch)
        elif command == "PLAY":
            self._streams.played(launch)
        elif command not in {"OPTIONS", "TEARDOWN"}:
            status = "404 NOT FOUND"
        return "\r\n".join([f"RTSP/1.0 {status}", *lines, "", ""]) + payload

    def _announce(self, head: str, body: str, launch: Launch) -> str:
        try:
            asked = Announced.of(head, body, self._config.number("fec_percentage", 20, 1, 255))
        except KeyError:
            return "400 BAD REQUEST"
        video = self._streams.video
        for codec, mode in (("hevc", video.hevc_mode), ("av1", video.av1_mode)):
            if asked.codec == codec and mode == 1:
                name = codec.upper()
                self._log.warning(f"{name} is disabled, yet the client requested {name}")
                return "400 BAD REQUEST"
        return "200 OK" if self._streams.start(launch, asked) else "500 Internal Server Error"


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data
