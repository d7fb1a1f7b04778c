"""Which distribution an image is, that others are to be built on: asked of the image itself.

The names are those of ``image_defs/files/check-distribution``, which has the last word in the build.
"""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..model.said import quotable
from . import apptainer

#: What is taken from the registry where no other base is named.
OURS = "ubuntu-24.04"
_SUPPORTED = "Ubuntu 24.04, Debian 12 and 13, and RHEL 9 and its relatives"
_SECONDS = 300.0  # Apptainer unpacks it first, where it cannot mount it
_KNOWN = {"ubuntu": ("24.04",), "debian": ("12", "13")}


class NotOurs(Exception):
    """No image can be built on it, or it does not say what it is. The text says which can."""


def distribution_of(program: str, image: Path, work: Path) -> str:
    """``debian-13``, say. ``work`` is a private directory for what Apptainer writes meanwhile.

    Raises
    ------
    NotOurs
    """
    argv = apptainer.run(program, image, ["cat", "/etc/os-release"])
    try:
        with tempfile.TemporaryDirectory(dir=work, ignore_cleanup_errors=True) as temporary:
            said = subprocess.run(
                argv,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                env=apptainer.environment(Path(temporary)),
            )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise NotOurs(f"{image} cannot be asked which distribution it is: {e}") from e
    if said.returncode:
        why = " / ".join(quotable(said.stderr)[-2:])[-300:]
        raise NotOurs(f"{image} cannot be asked which distribution it is: {why}")
    return name_of(said.stdout, image)


def name_of(os_release: str, image: Path) -> str:
    """By its os-release(5).

    Raises
    ------
    NotOurs
    """
    fields = dict(_assignments(os_release))
    name, version = fields.get("ID", ""), fields.get("VERSION_ID", "")
    if version in _KNOWN.get(name, ()):
        return f"{name}-{version}"
    if "rhel" in (name, *fields.get("ID_LIKE", "").split()) and version.split(".")[0] == "9":
        return "rhel-9"
    told = "".join(filter(str.isprintable, fields.get("PRETTY_NAME") or name))
    found = told or "of no distribution that says its name"
    raise NotOurs(f"{image} is {found}. Images are built on {_SUPPORTED}.")


def _assignments(os_release: str) -> Iterator[tuple[str, str]]:
    """Name and value of each line that is one: it is a list of a shell's assignments, with comments."""
    for line in os_release.splitlines():
        name, found, value = line.strip().partition("=")
        with contextlib.suppress(ValueError):  # a quote without its other one
            if found and not name.startswith("#"):
                yield name, "".join(shlex.split(value))
