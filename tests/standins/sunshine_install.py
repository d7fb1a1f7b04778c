"""Put the stand-ins somewhere else: for another user, with one interpreter, with knobs."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PROGRAMS = {
    "sunshine": "sunshine",
    "nvidia-smi": "nvidia-smi",
    "web-server": "moonlight_web_package/web-server",
    "streamer": "moonlight_web_package/streamer",
}


def install(
    directory: Path, python: str = sys.executable, knobs: Mapping[str, str] | None = None
) -> Path:
    """Copy them below ``directory``, readable for everybody; gives the folder for PATH.

    ``knobs`` are Sunshine's, without the prefix (``{"NVENC": "1"}``), for a driver that does not
    pass its environment on. ``static`` and ``streamer`` are beside ``web-server``, as in the
    release archive.
    """
    package, programs = directory / "standins", directory / "bin"
    ignored = shutil.ignore_patterns("test_*", "__pycache__", ".pytest_cache")
    shutil.copytree(_HERE, package, ignore=ignored, symlinks=True, dirs_exist_ok=True)
    programs.mkdir(exist_ok=True)
    for name, target in _PROGRAMS.items():
        wrapper = programs / name
        wrapper.write_text(
            "#!/bin/sh\n"
            f"STANDIN_PYTHON=${{STANDIN_PYTHON:-{shlex.quote(python)}}}\n"
            "export STANDIN_PYTHON\n"
            f'exec {shlex.quote(str(package / target))} "$@"\n'
        )
        wrapper.chmod(0o755)
    if not (programs / "static").exists():
        (programs / "static").symlink_to(package / "moonlight_web_package" / "static")
    if knobs:
        (package / "sunshine_knobs.json").write_text(json.dumps(dict(knobs)))
    for path in [directory, *directory.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    return programs
