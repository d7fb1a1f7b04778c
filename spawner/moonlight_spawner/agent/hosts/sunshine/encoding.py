"""How Sunshine is to encode, from the request and the job's GPU, and what the user is told of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ....model.sentences import Said
from ....model.session import Resources
from ...desktop.gpu import Gpu

# Measured: libx264 `superfast` at 1920x1080 and 60 frames/s takes 1.35 cores.
_CORES_PER_PIXEL = 1.35 / (1920 * 1080 * 60)
# Above this, bits of x264 cost cores and no eye sees them: 12.4 Mbit/s at 1920x1080 and 60.
_SOFTWARE_BITS_PER_PIXEL = 0.1
_SOFTWARE_LEAST_KBPS = 2000
_MOST_THREADS = 16
# The more cores there are, the better a picture for the same bits.
_PRESETS = ((2, "ultrafast"), (6, "superfast"), (12, "veryfast"))
_BEST_PRESET = "faster"


@dataclass(frozen=True)
class Encoding:
    """What is asked of Sunshine; what it really does is in its log (:mod:`.words`)."""

    request: Resources
    gpu: Gpu | None
    cpus: int

    @classmethod
    def for_request(cls, request: Resources, gpu: Gpu | None) -> Encoding:
        """With the CPUs that the job really has: without a batch system that may be fewer."""
        here = len(os.sched_getaffinity(0))
        return cls(request, gpu, max(1, min(request.cpus, here)))

    @property
    def nvenc(self) -> bool:
        return self.gpu is not None and self.gpu.nvenc

    @property
    def bitrate_kbps(self) -> int:
        """For both ends. The CPU's share of it is bounded by what the CPU can use."""
        if self.nvenc:
            return self.request.bitrate_kbps
        useful = round(self._pixels_per_second * _SOFTWARE_BITS_PER_PIXEL / 1000)
        return min(self.request.bitrate_kbps, max(_SOFTWARE_LEAST_KBPS, useful))

    @property
    def options(self) -> dict[str, str]:
        """Lines of ``sunshine.conf``. HEVC and AV1 are the GPU's: by CPU they are too slow."""
        options = {"max_bitrate": str(self.bitrate_kbps)}
        if self.nvenc:
            return options | {"encoder": "nvenc", "hevc_mode": "0", "av1_mode": "0"}
        return options | {
            "encoder": "software",
            "sw_preset": next((p for most, p in _PRESETS if self.cpus <= most), _BEST_PRESET),
            "min_threads": str(min(self.cpus, _MOST_THREADS)),
            "hevc_mode": "1",
            "av1_mode": "1",
        }

    def browser_codecs(self, encoders: Mapping[str, str]) -> set[str]:
        """What the browser may ask for besides H.264: what an encoder of the GPU was found for."""
        return {codec for codec, name in encoders.items() if "[software]" not in name}

    def notes(self, software: bool) -> list[Said]:
        """What the user should know; ``software`` is whether the CPU really encodes."""
        if not software:
            return []
        if self.gpu is None:
            notes = [
                Said.by(
                    "EncodedByCpu",
                    "No NVIDIA GPU is visible to the job: the picture is encoded by CPU.",
                )
            ]
        elif self.gpu.nvenc:
            notes = [
                Said.by(
                    "NvencNotUsed",
                    "{gpu} (driver {driver}) can encode video, but Sunshine fell back to the CPU. "
                    "Its log `stream` says why; NVENC needs driver 570 or newer.",
                    gpu=self.gpu.name,
                    driver=self.gpu.driver,
                )
            ]
        else:
            notes = [
                Said.by(
                    "NoVideoEncoder",
                    "{gpu} has no video encoder: the picture is encoded by CPU.",
                    gpu=self.gpu.name,
                )
            ]
        needed = self._pixels_per_second * _CORES_PER_PIXEL
        if needed > self.cpus * 0.75:
            request = self.request
            notes.append(
                Said.by(
                    "EncodingCosts",
                    "Encoding {size} at {fps} frames/s takes about {needed} CPUs while the whole "
                    "picture moves; the session has {cpus}. Ask for more CPUs, or for fewer pixels "
                    "or frames, if it is not fluid.",
                    size=request.resolution,
                    fps=request.fps,
                    needed=f"{needed:.1f}",
                    cpus=self.cpus,
                )
            )
        return notes

    @property
    def _pixels_per_second(self) -> int:
        width, height = self.request.size
        return width * height * self.request.fps
