"""What this machine has: defaults of the settings follow it."""

from __future__ import annotations

import os
from pathlib import Path

from .trust import exchangeable, root_owns


def scratch(kind: str) -> str:
    """The site's directory, if root made it: in /scratch anyone may have been there first."""
    path = Path(f"/scratch/sunshine_{kind}")
    try:
        usable = path.is_dir() and root_owns(path.lstat()) and not exchangeable(path)
    except OSError:
        return ""
    return str(path) if usable else ""


def scratch_or_home(kind: str) -> str:
    """The site's directory where this user may write to it, else one in the home."""
    found = scratch(kind)
    if found and os.access(found, os.W_OK | os.X_OK):
        return found
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return os.path.join(data, "moonlight-hpc", kind)


def gpu_count() -> int:
    """GPUs of this machine that a driver has made known."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
