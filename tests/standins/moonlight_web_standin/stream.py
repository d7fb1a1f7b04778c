"""What a stream does between the host and the WebSocket, for v2 and v3.

v2 runs it in a ``streamer`` process (``streamer.py``), v3 in the server. Messages go out through
``send``: text as an object, binary as bytes whose first one is the channel.
"""

from __future__ import annotations

import json
import struct
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from ..client import Client, GameStreamError, Identity
from ..client_stream import Frame, Packet, Stream, StreamFailed

#: Channels of v2.
_STATS, _VIDEO, _AUDIO, _RTT = 1, 2, 3, 26
#: Channels of v3.
_VIDEO_3, _AUDIO_3 = 1, 2
#: Bits of ``supported_codecs``, and the format that a stream of the codec has (source).
_MASKS = {"h264": 0x000F, "hevc": 0x0F00, "av1": 0xF000}
_FORMATS = {"h264": 0x0001, "hevc": 0x0100, "av1": 0x1000}
_ALLOWED = {"h264": "allow_codec_h264", "hevc": "allow_codec_h265", "av1": "allow_codec_av1"}
_RTT_SECONDS = 0.2

Send = Callable[["dict[str, Any] | bytes"], None]


class _Believing(Client):
    """It looks at no certificate of the host, and wants its id to be a UUID."""

    def serverinfo(self, secure: bool = False) -> dict[str, str]:
        info = super().serverinfo(secure)
        try:
            uuid.UUID(info.get("uniqueid", ""))
        except ValueError as e:
            raise GameStreamError(0, "ParseUuidError") from e
        return info


def client_of(init: dict[str, Any]) -> Client:
    """With the client's certificate from data.json; the host's, which is there too, goes unused."""
    pair = init["pair_info"]
    identity = Identity(pair["client_private_key"], pair["client_certificate"])
    unique = init["client_unique_id"]
    return _Believing(init["address"], init["http_port"], identity, None, unique)


def connect(
    client: Client, app: int, permissions: dict[str, Any], wanted: dict[str, Any], kbps: int
) -> Stream:
    """Launch, or resume what runs; raises GameStreamError, StreamFailed, OSError.

    What the role does not allow is taken away silently (source: apply_permissions_to_settings,
    apply_role_restrictions).
    """
    running = client.serverinfo(secure=True).get("currentgame", "0") != "0"
    start = client.resume if running else client.launch
    codecs = [
        codec
        for codec, mask in _MASKS.items()
        if wanted["supported_codecs"] & mask and permissions[_ALLOWED[codec]]
    ]
    kbps = min(kbps, permissions["maximum_bitrate_kbps"] or kbps)
    on_host = bool(wanted.get("play_audio_local") or wanted.get("local_audio_play_mode"))
    size, fps = f"{wanted['width']}x{wanted['height']}", wanted["fps"]
    return Stream(start(app, size, fps, on_host=on_host), fps, codecs=codecs, kbps=kbps)


class Session:
    """One stream of v2, from ``Init`` on."""

    def __init__(self, init: dict[str, Any], send: Send):
        self._init, self._send = init, send
        self._stream: Stream | None = None
        self._transport = ""
        self._sequence, self._sent_at = 0, time.monotonic()

    def begin(self) -> None:
        self._send({"Setup": {"ice_servers": self._init["ice_servers"]}})

    def text(self, message: dict[str, Any]) -> None:
        """A message of the browser; anything that is none is left alone."""
        transport = message.get("SetTransport")
        if transport == "WebSocket":
            if not self._init["permissions"]["allow_transport_websockets"]:
                return self._log("The WebSocket transport is not allowed", "fatalDescription")
            self._transport = transport
            self._rtt_returned()
        elif transport == "WebRTC":
            self._log("WebRTC is not in this stand-in", "informError")
        settings = (message.get("StartStream") or {}).get("settings")
        if settings and self._transport:
            threading.Thread(target=self._run, args=(settings,), daemon=True).start()
        return None

    def binary(self, data: bytes) -> None:
        """The browser returns each RTT message; the next follows 200 ms later."""
        if len(data) >= 4 and data[0] == _RTT and data[1] == 0:
            threading.Thread(target=self._rtt_returned, daemon=True).start()

    def stop(self) -> None:
        """The application goes on: only the stream ends."""
        if self._stream:
            self._stream.stop()

    def _run(self, settings: dict[str, Any]) -> None:
        width, height, fps = settings["width"], settings["height"], settings["fps"]
        try:
            stream = connect(
                client_of(self._init),
                self._init["app_id"],
                self._init["permissions"],
                settings,
                settings["bitrate_kbps"],
            )
            self._stream = stream
            stream.on_frame, stream.on_end = self._frame, self._ended
            stream.on_sound = self._sound
            stream.start()
        except (GameStreamError, StreamFailed, OSError) as e:
            self._log(f"Failed to start stream: {e}", "fatalDescription")
            return
        complete = {
            "capabilities": {"touch": True},
            "format": _FORMATS[stream.codec],
            "width": width,
            "height": height,
            "fps": fps,
            "audio_sample_rate": 48000,
            "audio_channel_count": 2,
            "audio_streams": 1,
            "audio_coupled_streams": 1,
            "audio_samples_per_frame": 240,
            "audio_mapping": [0, 1, 0, 0, 0, 0, 0, 0],
        }
        self._send({"ConnectionComplete": complete})

    def _frame(self, frame: Frame) -> None:
        self._send(video(_VIDEO, frame))

    def _sound(self, packet: Packet) -> None:
        self._send(bytes([_AUDIO]) + packet.data)

    def _ended(self, reason: int) -> None:
        code = reason - (1 << 32) if reason >= 1 << 31 else reason
        self._send({"ConnectionTerminated": {"error_code": code}})

    def _rtt_returned(self) -> None:
        elapsed = (time.monotonic() - self._sent_at) * 1000
        stats = json.dumps({"BrowserRtt": {"rtt_ms": elapsed}}).encode()
        self._send(bytes([_STATS]) + struct.pack(">H", len(stats)) + stats)
        time.sleep(_RTT_SECONDS)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._sent_at = time.monotonic()
        self._send(struct.pack(">BBH", _RTT, 0, self._sequence))

    def _log(self, message: str, kind: str | None = None) -> None:
        self._send({"DebugLog": {"message": message, "ty": kind}})


def video(channel: int, frame: Frame) -> bytes:
    """Channel, 1 for a key frame, time in µs, data."""
    stamp = time.monotonic_ns() // 1000 & 0xFFFFFFFF
    return struct.pack(">BBI", channel, int(frame.idr), stamp) + frame.data


def begin_v3(init: dict[str, Any], request: dict[str, Any], send: Send) -> Stream:
    """One stream of v3: launched, announced, its frames on their way."""
    client = client_of(init)
    titles = {app.id: app.title for app in client.apps()}
    app = request["app_id"]
    stream = connect(client, app, init["permissions"], request, request["bitrate"])
    ready = threading.Event()

    def on_frame(frame: Frame) -> None:
        ready.wait(10)
        send(video(_VIDEO_3, frame))

    def on_sound(packet: Packet) -> None:
        ready.wait(10)
        send(bytes([_AUDIO_3]) + packet.data)

    stream.on_frame, stream.on_sound = on_frame, on_sound
    stream.start()
    response = {
        "video_codec": _FORMATS[stream.codec],
        "audio_sample_rate": 48000,
        "audio_channel_count": 2,
        "audio_streams": 1,
        "audio_coupled_streams": 1,
        "audio_samples_per_frame": 240,
        "audio_mapping": [0, 1, 0, 0, 0, 0, 0, 0],
        "app_name": titles.get(app),
    }
    send({"Response": response})
    ready.set()
    return stream
