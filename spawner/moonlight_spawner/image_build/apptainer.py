"""Every call of Apptainer, as argument lists.

Sources: apptainer-build(1), apptainer-exec(1), and the chapters "Definition Files", "Fakeroot
feature" and "Build Environment" of its user guide; tried with Apptainer 1.4.5.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Build arguments ({{ NAME }} in a definition) came with 1.2.
OLDEST = (1, 2)

_VERSION = re.compile(r"apptainer version (\d+)\.(\d+)\.?(\S*)")


def version_of(program: str) -> tuple[int, int] | None:
    """Major and minor version; None if the program is something else or cannot be run."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stdout)
    return (int(match[1]), int(match[2])) if match else None


def environment(temporary: Path) -> dict[str, str]:
    """Our own environment, with Apptainer's temporary files where they are removed in any case.

    What a user has set to be bound into his containers must not get into an image.
    """
    unwanted = ("APPTAINER_BIND", "SINGULARITY_BIND", "APPTAINERENV_", "SINGULARITYENV_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(unwanted)}
    return {**kept, "APPTAINER_TMPDIR": str(temporary), "TMPDIR": str(temporary)}


def build_from_definition(
    program: str, image: Path, definition: Path, arguments: Mapping[str, str]
) -> list[str]:
    """A SIF from scratch. Apptainer implies --fakeroot for an ordinary user; here it is said."""
    argv = [program, "build", *_fakeroot()]
    for name, value in arguments.items():
        argv += ["--build-arg", f"{name}={value}"]
    return [*argv, str(image), str(definition)]


def unpack(program: str, sandbox: Path, image: Path) -> list[str]:
    """A writable directory from a SIF. The SIF is only read."""
    return [program, "build", "--fix-perms", "--sandbox", str(sandbox), str(image)]


def change(program: str, sandbox: Path, context: Path, command: list[str]) -> list[str]:
    """Run a command as root in a sandbox and keep what it changes.

    ``context`` is seen as /mnt: a mount point has to exist in the sandbox, and /mnt does.
    """
    argv = [program, "exec", *_fakeroot(), "--writable", "--contain", "--cleanenv", "--no-home"]
    return [*argv, "--bind", f"{context}:/mnt:ro", str(sandbox), *command]


def pack(program: str, image: Path, sandbox: Path) -> list[str]:
    """A SIF from a sandbox."""
    return [program, "build", *_fakeroot(), str(image), str(sandbox)]


def run(program: str, image: Path, command: list[str]) -> list[str]:
    """Run a command in a finished image, with nothing of ours inside and no privileges.

    Sessions share process ids and IPC with the node (:mod:`moonlight_spawner.agent.desktop.container`); here
    nobody is to be met, and ``--pid`` (part of ``--containall``) lets all children end with it.
    """
    return [program, "exec", "--containall", "--no-privs", str(image), *command]


def _fakeroot() -> list[str]:
    return [] if os.geteuid() == 0 else ["--fakeroot"]
