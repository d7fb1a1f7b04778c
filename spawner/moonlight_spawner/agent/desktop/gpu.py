"""The job's GPU, and whether it can encode video."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...processes.child import output_of
from ...processes.environment import find

# Models for computing only have no NVENC; what is not named here has it. NVIDIA's support matrix:
# https://developer.nvidia.com/video-encode-and-decode-gpu-support-matrix-new
_NO_NVENC = re.compile(r"\b(A100|A30|A800|H100|H800|H200|H20|GH200|B100|B200|B300|GB200|GB300)\b")
_BUS_ID = re.compile(r"[0-9A-F]{4,8}:[0-9A-F]{2}:[0-9A-F]{2}\.[0-7]", re.IGNORECASE)
_QUERY = "--query-gpu=index,uuid,name,driver_version,pci.bus_id"


@dataclass(frozen=True)
class Gpu:
    """One GPU as nvidia-smi names it. ``bus_id`` is like ``00000000:3B:00.0``."""

    index: int
    uuid: str
    name: str
    driver: str
    bus_id: str = ""

    @property
    def nvenc(self) -> bool:
        return _NO_NVENC.search(self.name) is None

    @property
    def x_bus_id(self) -> str:
        """As an X server's configuration wants it: decimal, ``PCI:59:0:0``."""
        if not _BUS_ID.fullmatch(self.bus_id):
            return ""
        _, bus, rest = self.bus_id.split(":")
        device, _, function = rest.partition(".")
        return f"PCI:{int(bus, 16)}:{int(device, 16)}:{int(function)}"

    def dri_device(self, root: Path = Path("/sys/bus/pci/devices")) -> str | None:
        """Its DRI device, e.g. ``/dev/dri/card1``, from the kernel; None where there is none."""
        if not _BUS_ID.fullmatch(self.bus_id):
            return None
        domain, _, rest = self.bus_id.lower().partition(":")
        cards = sorted((root / f"{domain[-4:]}:{rest}" / "drm").glob("card[0-9]*"))
        return f"/dev/dri/{cards[0].name}" if cards else None


async def job_gpu(env: Mapping[str, str]) -> Gpu | None:
    """The first GPU of the job, None if there is none or no driver.

    With device constraints CUDA_VISIBLE_DEVICES is renumbered and nvidia-smi lists only the job's
    GPUs; without them nvidia-smi lists all, and SLURM_JOB_GPUS has the real indices (measured).
    """
    tool = find("nvidia-smi") or "nvidia-smi"
    text = await output_of([tool, _QUERY, "--format=csv,noheader"], env)
    gpus = parse(text or "")
    if not gpus:
        return None
    visible = env.get("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    named = [v for v in visible.split(",") if v]
    for gpu in gpus:
        if named and gpu.uuid.startswith(named[0]):
            return gpu
    if len(named) == len(gpus) and named[0].isdigit() and int(named[0]) < len(gpus):
        return gpus[int(named[0])]
    real = env.get("SLURM_JOB_GPUS") or ",".join(v for v in named if v.isdigit())
    first = real.split(",")[0]
    by_index = {gpu.index: gpu for gpu in gpus}
    if first.isdigit() and int(first) in by_index:
        return by_index[int(first)]
    return gpus[0]


def parse(text: str) -> list[Gpu]:
    """Lines of ``index, uuid, name, driver, bus id``."""
    gpus = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) >= 4 and fields[0].isdigit():
            gpus.append(Gpu(int(fields[0]), fields[1], fields[2], fields[3], *fields[4:5]))
    return gpus
