"""Which encoder is chosen and what is told of it: video.cpp's probe (source), except for what
no-display.txt, env-failures.txt and preseed-variants.txt show.

It happens at the start, again at the first launch, and with the software encoder at every launch
that finds no other stream; each time the whole choice is made anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from . import knobs
from .log import Log

#: ServerCodecModeSupport.
H264, H264_444 = 0x1, 0x40000
HEVC, HEVC_MAIN10, HEVC_444 = 0x100, 0x200, 0x80000
AV1, AV1_MAIN10, AV1_444 = 0x10000, 0x20000, 0x200000

CODECS = {"h264": "H.264", "hevc": "HEVC", "av1": "AV1"}
_PRESETS = """ultrafast superfast veryfast faster fast medium slow slower veryslow placebo
    0 1 2 3 4 5 6 7 8 9"""
_TUNES = ["film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"]
_PROBED_KBPS = 1000
_ADDRESS = "0x55d0c8a4f2c0"


@dataclass
class Codec:
    """One codec of an encoder: what the last probe found."""

    name: str
    passed: bool = False
    ten_bit: bool = False
    full_chroma: bool = False


@dataclass
class Encoder:
    name: str
    codecs: dict[str, Codec]
    h264_only: bool = False
    always_again: bool = False


def encoders() -> list[Encoder]:
    """In the order in which they are tried. A build with Vulkan has that one after nvenc."""

    def of(name: str, suffix: str) -> Encoder:
        names = {codec: Codec(f"{codec}_{suffix}") for codec in CODECS}
        return Encoder(name, names)

    software = {"h264": Codec("libx264"), "hevc": Codec("libx265"), "av1": Codec("")}
    return [
        of("nvenc", "nvenc"),
        of("vaapi", "vaapi"),
        Encoder("software", software, h264_only=True, always_again=True),
    ]


@dataclass
class Wanted:
    """The keys of the configuration that matter here."""

    encoder: str
    hevc_mode: int
    av1_mode: int
    preset: str
    tune: str


@dataclass
class Choice:
    """What is advertised. A mode of 1 is none, 2 eight bits, 3 also ten."""

    encoder: Encoder | None = None
    hevc_mode: int = 0
    av1_mode: int = 0
    left: list[Encoder] = field(default_factory=list)

    @property
    def codecs(self) -> int:
        found = self.encoder.codecs if self.encoder else {k: Codec(k) for k in CODECS}
        codecs = H264 | H264_444 * found["h264"].full_chroma
        if self.hevc_mode >= 2:
            codecs |= HEVC | HEVC_444 * found["hevc"].full_chroma
        codecs |= HEVC_MAIN10 * (self.hevc_mode == 3)
        if self.av1_mode >= 2:
            codecs |= AV1 | AV1_444 * found["av1"].full_chroma
        codecs |= AV1_MAIN10 * (self.av1_mode == 3)
        return codecs


class Probe:
    """One choice, made with a display (``screen`` says so and logs it) or without one."""

    def __init__(self, wanted: Wanted, log: Log, screen: Callable[[], bool]):
        self._wanted, self._log, self._screen = wanted, log, screen
        self._made = Choice(None, wanted.hevc_mode, wanted.av1_mode, encoders())

    def choose(self) -> Choice:
        made, wanted = self._made, self._wanted
        if wanted.encoder:
            for encoder in [e for e in made.left if e.name == wanted.encoder]:
                if self._works(encoder):
                    self._lower(encoder)
                    made.encoder = encoder
            if made.encoder is None:
                text = f"Couldn't find any working encoder matching [{wanted.encoder}]"
                self._log.error(text)
        self._log.info(
            "// Testing for available encoders, this may generate errors. "
            "You can safely ignore those errors. //"
        )
        if made.encoder is None and max(made.hevc_mode, made.av1_mode) >= 2:
            made.encoder = next((e for e in list(made.left) if self._satisfies(e)), None)
            if made.encoder is None:
                self._log.error(
                    "Couldn't find any working encoder that meets HEVC/AV1 requirements"
                )
        if made.encoder is None:
            for encoder in list(made.left):
                if self._works(encoder):
                    self._lower(encoder)
                    made.encoder = encoder
                    break
        if made.encoder is not None:
            self._told(made.encoder)
        return made

    def _satisfies(self, encoder: Encoder) -> bool:
        if not self._works(encoder):
            return False
        hevc, av1 = encoder.codecs["hevc"], encoder.codecs["av1"]
        modes = ((self._made.hevc_mode, hevc), (self._made.av1_mode, av1))
        return all(
            (mode < 2 or codec.passed) and (mode < 3 or codec.ten_bit) for mode, codec in modes
        )

    def _lower(self, encoder: Encoder) -> None:
        """What was asked for and this one cannot do becomes 0, with a warning.

        ``av1_mode = 3`` is never lowered: the real one looks at ``hevc_mode`` there by mistake
        (source), and advertises an AV1 that no encoder has.
        """
        made, start = self._made, f"Encoder [{encoder.name}] does not support"
        hevc, av1 = encoder.codecs["hevc"], encoder.codecs["av1"]
        if made.hevc_mode == 3 and not hevc.ten_bit:
            self._log.warning(f"{start} HEVC Main10 on this system")
            made.hevc_mode = 0
        elif made.hevc_mode == 2 and not hevc.passed:
            self._log.warning(f"{start} HEVC on this system")
            made.hevc_mode = 0
        if made.av1_mode == 2 and not av1.passed:
            self._log.warning(f"{start} AV1 on this system")
            made.av1_mode = 0

    def _told(self, encoder: Encoder) -> None:
        self._log.info("")
        self._log.info("// Ignore any errors mentioned above, they are not relevant. //")
        self._log.info("")
        for key, shown in CODECS.items():
            codec = encoder.codecs[key]
            if codec.passed:
                self._log.info(f"Found {shown} encoder: {codec.name} [{encoder.name}]")
        made = self._made
        if made.hevc_mode == 0:
            made.hevc_mode = _mode(encoder.codecs["hevc"])
            self._log.debug(f"ENCODER STATUS ACTIVE_HEVC_MODE: {made.hevc_mode}")
        if made.av1_mode == 0:
            made.av1_mode = _mode(encoder.codecs["av1"])
            self._log.debug(f"ENCODER STATUS ACTIVE_AV1_MODE: {made.av1_mode}")

    def _works(self, encoder: Encoder) -> bool:
        """Try H.264, then what may be advertised. One that fails is not tried again."""
        self._log.info(f"Trying encoder [{encoder.name}]")
        if not self._screen() or not self._h264(encoder):
            self._log.info(f"Encoder [{encoder.name}] failed")
            self._made.left.remove(encoder)
            return False
        for key, mode in (("hevc", self._made.hevc_mode), ("av1", self._made.av1_mode)):
            codec = encoder.codecs[key]
            if mode >= 2 or (mode == 0 and not encoder.h264_only):
                self._further(encoder, key, codec)
        return True

    def _h264(self, encoder: Encoder) -> bool:
        codec = encoder.codecs["h264"]
        works = knobs.on(encoder.name.upper())
        software = encoder.name == "software"
        if software and works and not self._preset_is_known():
            for _ in range(2):
                creating(self._log, codec.name, kbps=_PROBED_KBPS)
                both = f"{self._wanted.preset}/{self._wanted.tune}"
                self._log.error(f"[libx264 @ {_ADDRESS}] Error setting preset/tune {both}.")
                self._log.error("Could not open codec [libx264]: Invalid argument")
            return False
        how = knobs.text("NVENC_FAILS") if encoder.name == "nvenc" else "codec"
        opened = works or how in {"driver", "hardware"}
        for _ in range(1 if works else 2):  # with a limit of reference frames, and without one
            creating(self._log, codec.name, kbps=_PROBED_KBPS if opened else None)
            if not works:
                self._failing(codec.name, how)
        codec.passed, codec.full_chroma = works, encoder.name != "vaapi"
        return works

    def _further(self, encoder: Encoder, key: str, codec: Codec) -> None:
        software = encoder.name == "software"
        lacking = software and not (key == "hevc" and knobs.on("SOFTWARE_HEVC"))
        creating(self._log, codec.name, kbps=None if lacking else _PROBED_KBPS)
        if software:
            codec.passed = not lacking
            codec.ten_bit = codec.full_chroma = codec.passed
            if not codec.passed:
                self._log.error(f"Couldn't open [{codec.name}]")
            return
        if encoder.name == "vaapi":
            codec.passed = codec.ten_bit = key == "hevc"
            if not codec.passed:
                self._log.error(f"Could not open codec [{codec.name}]: Function not implemented")
            return
        codec.passed = knobs.on(f"NVENC_{key.upper()}")
        if not codec.passed:
            self._log.warning(f"[{codec.name} @ {_ADDRESS}] Codec not supported")
            self._failing_on(codec.name, "Provided device doesn't support required NVENC features")
            return
        codec.full_chroma = key == "hevc"
        creating(self._log, codec.name, bits=10, kbps=_PROBED_KBPS)
        self._log.error(  # so there is no ten-bit stream from an X server
            "cuda::cuda_t doesn't support any format other than AV_PIX_FMT_NV12 and "
            "AV_PIX_FMT_YUV444P"
        )

    def _failing(self, name: str, how: str) -> None:
        """One attempt: recorded for ``codec``; the others from the sources and public logs."""
        if how == "cuda":
            self._log.error("Couldn't load cuda: -1")
        elif how == "driver":
            start = f"[{name} @ {_ADDRESS}]"
            self._log.error(
                f"{start} Driver does not support the required nvenc API version. "
                "Required: 13.0 Found: 12.1"
            )
            minimum = "The minimum required Nvidia driver for nvenc is 570.0 or newer"
            self._failing_on(name, minimum)
        elif how == "hardware":
            self._failing_on(
                name, "OpenEncodeSessionEx failed: unsupported device (2): (no details)"
            )
        else:
            self._log.error(f"Couldn't open [{name}]")

    def _failing_on(self, name: str, why: str) -> None:
        self._log.error(f"[{name} @ {_ADDRESS}] {why}")
        self._log.error(f"Could not open codec [{name}]: Function not implemented")

    def _preset_is_known(self) -> bool:
        """As x264 reads it (public documentation of ``x264_param_default_preset``)."""
        tunes = re.split(r"[,./+-]", self._wanted.tune.lower())
        return self._wanted.preset.lower() in _PRESETS.split() and set(tunes) <= set(_TUNES)


def creating(
    log: Log, name: str, bits: int = 8, full: bool = True, kbps: int | None = None
) -> None:
    """What is logged whenever an encoder is opened; the bitrate once the codec is there."""
    log.info(f"Creating encoder [{name}]")
    log.info("Color coding: SDR (Rec. 601)")
    log.info(f"Color depth: {bits}-bit")
    log.info(f"Color range: {'JPEG' if full else 'MPEG'}")
    if kbps is not None:
        log.info(f"Streaming bitrate is {kbps * 1000}")


def _mode(codec: Codec) -> int:
    return 1 + codec.passed + (codec.passed and codec.ten_bit)
