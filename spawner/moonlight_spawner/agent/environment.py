"""The environment of the desktop: what it needs, and nothing that breaks it or that is secret."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from pathlib import Path

_SYSTEM_DATA = ["/usr/local/share", "/usr/share"]
_SYSTEM_PATH = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]

# Kept from the job: the batch system, the GPU, modules, language, time zone.
_KEEP = re.compile(
    r"SLURM_(?!JWT\b)\w+|SLURMD_\w+|CUDA_\w+|NVIDIA_\w+|GPU_DEVICE_ORDINAL|ROCR_VISIBLE_DEVICES|"
    r"MODULE\w+|LMOD_\w+|_ModuleTable\w*|BASH_FUNC_(module|ml)%%|LOADEDMODULES|_LMFILES_|"
    r"LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|LM_LICENSE_FILE|\w+_LICENSE_FILE|"
    r"(http|https|ftp|no|all)_proxy|PATH|LD_LIBRARY_PATH|MANPATH|XDG_DATA_DIRS|XKB_\w+"
)
_PATH_LISTS = ("PATH", "LD_LIBRARY_PATH", "MANPATH", "XDG_DATA_DIRS")


def desktop_environment(job: Mapping[str, str]) -> dict[str, str]:
    """The job's environment made safe for a desktop.

    Conda's directories and those below the home directory leave every path list: a conda
    ``dbus-daemon`` or library found first breaks desktops. ``SHELL`` comes from the user's
    account. A proxy's address with a password in it stays out.
    """
    account = pwd.getpwuid(os.geteuid())
    env = {k: v for k, v in job.items() if _KEEP.fullmatch(k) and not _has_password(k, v)}
    for name in _PATH_LISTS:
        if name in env:
            env[name] = os.pathsep.join(_safe(env[name], account.pw_dir))
            if not env[name]:
                del env[name]
    path = env.get("PATH", "").split(os.pathsep) if env.get("PATH") else []
    env["PATH"] = os.pathsep.join(path + [d for d in _SYSTEM_PATH if d not in path])
    if "XDG_DATA_DIRS" in env:  # a module's own: without the system's, GTK finds no schemas
        found = env["XDG_DATA_DIRS"].split(os.pathsep)
        own = [path for path in _SYSTEM_DATA if path not in found]
        env["XDG_DATA_DIRS"] = os.pathsep.join([*found, *own])
    env.setdefault("LANG", "C.UTF-8")
    env |= {
        "HOME": account.pw_dir,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell or "/bin/sh",
    }
    return env


def _safe(paths: str, home: str) -> list[str]:
    return [p for p in paths.split(os.pathsep) if p and not _unsafe(p, home)]


def _unsafe(path: str, home: str) -> bool:
    real = os.path.realpath(path)
    if any(p == home or p.startswith(home.rstrip("/") + "/") for p in (path, real)) and home != "/":
        return True
    # A conda environment has this directory at its root; bin, lib and share/man lie below it.
    parents = [Path(real), *Path(real).parents][:3]
    return any((parent / "conda-meta").is_dir() for parent in parents)


def _has_password(name: str, value: str) -> bool:
    return name.lower().endswith("_proxy") and "@" in value
