"""The X display and the encoder in use (no-display.txt, x-late.txt, x-server-death.txt)."""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from pathlib import Path

from . import knobs
from .config import Config
from .encoders import Choice, Probe, Wanted, creating
from .input import Input
from .log import Log


def cookie(display: str) -> tuple[bytes, bytes]:
    """Name and data of the display's entry in the Xauthority file, or two empty strings."""
    path = Path(os.environ.get("XAUTHORITY") or Path(os.environ.get("HOME", "/")) / ".Xauthority")
    try:
        raw = path.read_bytes()
    except OSError:
        return b"", b""
    fields: list[bytes] = []
    at = 0
    while at < len(raw):
        if len(fields) % 5 == 0:
            at += 2  # family
            fields.append(b"")
            continue
        size = struct.unpack_from(">H", raw, at)[0]
        fields.append(raw[at + 2 : at + 2 + size])
        at += 2 + size
    for _, _, number, name, data in zip(*[iter(fields)] * 5, strict=False):
        if number in (b"", display.encode()):
            return name, data
    return b"", b""


def connect() -> socket.socket | None:
    """A connection to DISPLAY that the server accepted, or None."""
    wanted = knobs.text("DISPLAY")
    if wanted != "x11":
        return socket.socket() if wanted == "present" else None
    match = re.fullmatch(r"(?:unix)?:(\d+)(?:\.\d+)?", os.environ.get("DISPLAY", ""))
    if not match:
        return None
    name, data = cookie(match[1])
    for address in (f"\0/tmp/.X11-unix/X{match[1]}", f"/tmp/.X11-unix/X{match[1]}"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(2)
        try:
            sock.connect(address)
            padded = [part + bytes(-len(part) % 4) for part in (name, data)]
            sock.sendall(struct.pack("<BxHHHHxx", 0x6C, 11, 0, len(name), len(data)))
            sock.sendall(b"".join(padded))
            if sock.recv(1) == b"\x01":
                return sock
        except OSError:
            pass
        sock.close()
    return None


class Video:
    """Which encoder is in use, found as the real one probes for it."""

    def __init__(self, config: Config, log: Log):
        self._config, self._log = config, log
        self._made = Choice()
        self._launched = False
        self._server: socket.socket | None = None
        self._never = False  # x-late.txt: no X at start is never mended
        self.died_idle = False
        self.input = Input(log)

    @property
    def codecs(self) -> int:
        """ServerCodecModeSupport; without any encoder 1 (no-display.txt)."""
        return self._made.codecs

    @property
    def hevc_mode(self) -> int:
        return self._made.hevc_mode

    @property
    def av1_mode(self) -> int:
        return self._made.av1_mode

    def begin(self) -> None:
        """At start: what no-display.txt shows from "Unable to initialize" on."""
        self._server = connect()
        self._never = self._server is None
        if self._never:
            self._log.error("Unable to initialize capture method")
            self._log.error("Platform failed to initialize")
        self.input.begin()
        if not self._probe():
            self._log.error("Video failed to find working encoder")

    def ready(self) -> bool:
        """Asked again at every launch; False becomes the 503."""
        if not self._never and not self.alive():
            self._server = connect()
        encoder, first = self._made.encoder, not self._launched
        if self._server is not None and encoder and not encoder.always_again and not first:
            return True
        self._launched = True
        return self._probe()

    def open(self, codec: str, bitrate: int) -> bool:
        """The encoder of one stream; ``bitrate`` in kbit/s. False: there will be no picture."""
        if self._made.encoder is None:
            return False
        found = self._made.encoder.codecs[codec]
        if not found.passed:
            creating(self._log, found.name, full=False)
            self._log.error(f"{self._made.encoder.name}: {found.name} mode not supported")
            return False
        limit = self._config.number("max_bitrate", 0, -(1 << 31), (1 << 31) - 1)
        kbps = min(bitrate, limit) if limit > 0 else bitrate
        creating(self._log, found.name, full=False, kbps=kbps)
        return True

    def alive(self) -> bool:
        """Whether the X server that was connected to is still there."""
        server = self._server
        if server is None:
            return False
        if knobs.text("DISPLAY") == "present":
            return True
        server.setblocking(False)
        try:
            while server.recv(65536):
                pass
        except BlockingIOError:
            return True
        except OSError:
            pass
        server.close()
        self._server, self.died_idle = None, True
        return False

    def _probe(self) -> bool:
        text, number = self._config.text, self._config.number
        wanted = Wanted(
            text("encoder"),
            number("hevc_mode", 0, 0, 3),
            number("av1_mode", 0, 0, 3),
            text("sw_preset", "superfast"),
            text("sw_tune", "zerolatency"),
        )
        self._made = Probe(wanted, self._log, self._screen).choose()
        if self._made.encoder:
            return True
        self._log.fatal("Unable to find display or encoder during startup.")
        if text("adapter_name") or text("output_name"):
            self._log.fatal(
                "Please ensure your manually chosen GPU and monitor are connected and powered on."
            )
        else:
            self._log.fatal("Please check that a display is connected and powered on.")
        return False

    def _screen(self) -> bool:
        """Each encoder opens the display for itself."""
        if self._server is None:
            time.sleep(knobs.number("PROBE_SECONDS"))
            return False
        self._log.info("Screencasting with X11")
        if not self._config.text("output_name"):
            self._log.warning(
                "Couldn't get info for requested display [], defaulting to recording entire "
                "virtual desktop"
            )
        return True
