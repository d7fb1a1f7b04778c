"""What this machine has: defaults of the settings follow it."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping
from pathlib import Path

from ..model.trust import exchangeable, root_owns


def python(module: str) -> list[str]:
    """How a module of ours is run by this Python, whatever the user's or a module's variables say.

    ``-I``: with PYTHONPATH, PYTHONHOME or a user site of another Python it would die before its
    first line. Not where we are found only by those. ``-X utf8``: names and files are UTF-8 also
    where the job's locale is not.
    """
    package = Path(__file__).resolve().parents[2]
    by_user = {Path(p).resolve() for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p}
    options = ["-I"]
    if package in by_user:
        options = []
    elif package == Path(site.getusersitepackages()).resolve():
        options = ["-E"]
    return [sys.executable, *options, "-X", "utf8", "-m", module]


def base_directory(variable: str, default: str, environ: Mapping[str, str]) -> str:
    """A directory of the XDG Base Directory Specification, by which a relative one counts as unset."""
    named = environ.get(variable, "")
    return named if os.path.isabs(named) else os.path.join(os.path.expanduser("~"), default)


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
    data = base_directory("XDG_DATA_HOME", ".local/share", os.environ)
    return os.path.join(data, "moonlight-hpc", kind)


def gpu_count() -> int:
    """GPUs of this machine that a driver has made known."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
