"""What a client asks for with ANNOUNCE (source: rtsp.cpp, cmd_announce)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NEEDED = """x-nv-audio.surround.numChannels x-nv-audio.surround.channelMask
    x-nv-audio.surround.AudioQuality x-nv-video[0].packetSize x-nv-video[0].clientViewportHt
    x-nv-video[0].clientViewportWd x-nv-video[0].maxFPS x-nv-vqos[0].bw.maximumBitrateKbps
    x-nv-video[0].videoEncoderSlicesPerFrame x-nv-video[0].maxNumReferenceFrames"""
_CODECS = {"0": "h264", "1": "hevc", "2": "av1"}


@dataclass(frozen=True)
class Announced:
    """``kbps`` is what is encoded; ``packet_ms`` how much sound one packet has."""

    fps: int
    codec: str
    kbps: int
    channels: int
    high_quality: bool
    packet_ms: int

    @classmethod
    def of(cls, head: str, body: str, fec_percentage: int) -> Announced:
        """KeyError when something is missing."""
        given = dict(re.findall(r"(?m)^a=([^:\s]+):(.*?) ?\r?$", body))
        needed = {name: given[name] for name in _NEEDED.split()}
        channels = int(needed["x-nv-audio.surround.numChannels"])
        high = needed["x-nv-audio.surround.AudioQuality"] != "0"
        if channels == 2:  # told by the Host line: Moonlight sends 0.0.0.0 for the low one
            high = not re.search(r"(?im)^host:.*0\.0\.0\.0", head)
        kbps = int(needed["x-nv-vqos[0].bw.maximumBitrateKbps"])
        asked = int(given.get("x-ml-video.configuredBitrateKbps", "0"))
        return cls(
            fps=int(needed["x-nv-video[0].maxFPS"]),
            codec=_CODECS.get(given.get("x-nv-vqos[0].bitStreamFormat", "0"), "h264"),
            kbps=_encoded(asked, fec_percentage, channels, high) if asked else kbps,
            channels=channels,
            high_quality=high,
            packet_ms=int(given.get("x-nv-aqos.packetDuration", "5")),
        )


def _encoded(kbps: int, fec_percentage: int, channels: int, high: bool) -> int:
    """The client's figure is for everything: error correction, sound and overhead come off."""
    if fec_percentage <= 80:
        kbps = int(kbps / (100 / (100 - fec_percentage)))
    kbps -= min((256 if high else 96) * channels, kbps // 5)
    return kbps - min(500, kbps // 10)
