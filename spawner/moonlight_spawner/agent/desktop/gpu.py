"""The job's GPU, and whether it can encode video."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
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
    """The first GPU of the job, None if there is none or no driver."""
    return next(iter(await job_gpus(env)), None)


async def job_gpus(env: Mapping[str, str]) -> list[Gpu]:
    """The GPUs of the job, in its order; none without a driver. All that are seen, where it names none."""
    text = await output_of([_tool(), _QUERY, "--format=csv,noheader"], env)
    return of_job(parse(text or ""), env)


def of_job(gpus: list[Gpu], env: Mapping[str, str]) -> list[Gpu]:
    """Those of the node's GPUs that are the job's.

    With device constraints CUDA_VISIBLE_DEVICES is renumbered and nvidia-smi lists only the job's
    GPUs; without them nvidia-smi lists all, and SLURM_JOB_GPUS has the real indices (measured).
    """
    visible = env.get("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    named = [v for v in visible.split(",") if v]
    if by_uuid := [g for name in named for g in gpus if g.uuid.startswith(name)]:
        return by_uuid
    if len(named) == len(gpus) and all(v.isdigit() and int(v) < len(gpus) for v in named):
        return [gpus[int(v)] for v in named]
    real = env.get("SLURM_JOB_GPUS") or ",".join(v for v in named if v.isdigit())
    by_index = {str(gpu.index): gpu for gpu in gpus}
    return [by_index[v] for v in real.split(",") if v in by_index] or gpus


async def busiest(gpus: Sequence[Gpu], env: Mapping[str, str]) -> float | None:
    """How busy the busiest of them was just now, in percent; None if one does not say (a part of a GPU
    has no figure of its own)."""
    which = f"--id={','.join(gpu.uuid for gpu in gpus)}"
    argv = [_tool(), "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", which]
    said = (await output_of(argv, env) or "").split()
    if len(said) != len(gpus) or not all(word.isdigit() for word in said):
        return None
    return max(map(float, said), default=None)


def _tool() -> str:
    return find("nvidia-smi") or "nvidia-smi"


def parse(text: str) -> list[Gpu]:
    """Lines of ``index, uuid, name, driver, bus id``."""
    gpus = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) >= 4 and fields[0].isdigit():
            gpus.append(Gpu(int(fields[0]), fields[1], fields[2], fields[3], *fields[4:5]))
    return gpus
