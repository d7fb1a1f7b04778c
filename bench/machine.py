"""What a reader has to know of the machine and the versions; nothing that names it."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_PACKAGES = [
    "moonlight-hpc",
    "jupyter-server",
    "tornado",
    "jupyter-server-proxy",
    "jupyter-remote-desktop-proxy",
    "selkies",
    "pixelflux",
    "websockets",
    "playwright",
]


def facts() -> dict[str, object]:
    """Machine and versions, for the head of a result."""
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "gpu": any(Path("/dev").glob("nvidia[0-9]*")),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text("ascii", "replace")
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return model[1] if model else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
