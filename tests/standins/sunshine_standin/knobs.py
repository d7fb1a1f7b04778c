"""The knobs of the package's docstring: from the environment, else from a file beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

_DEFAULTS = {
    "NVENC": "0",
    "NVENC_HEVC": "1",
    "NVENC_AV1": "0",
    "NVENC_FAILS": "codec",
    "VAAPI": "0",
    "SOFTWARE": "1",
    "SOFTWARE_HEVC": "1",
    "DISPLAY": "x11",
    "TAKEN": "recorded",
    "TERM_HANG": "pairing",
    "FORCE_SECONDS": "10",
    "PAIR_SECONDS": "300",
    "START_SECONDS": "0",
    "PROBE_SECONDS": "0.4",
    "UINPUT": "/dev/uinput",
    "UHID": "/dev/uhid",
    "AUDIO": "1",
    "HANG_SECONDS": "10",
    "DEFAULT_PORT": "47989",
}
_FILE = Path(__file__).resolve().parents[1] / "sunshine_knobs.json"


def text(name: str) -> str:
    """One knob, by its name without the prefix."""
    default = _DEFAULTS[name]
    if f"STANDIN_SUNSHINE_{name}" in os.environ:
        return os.environ[f"STANDIN_SUNSHINE_{name}"]
    try:
        return str(json.loads(_FILE.read_text()).get(name, default))
    except FileNotFoundError:
        return default


def on(name: str) -> bool:
    return text(name).lower() in {"1", "true", "yes", "on"}


def number(name: str) -> float:
    return float(text(name))
