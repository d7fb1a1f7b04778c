"""Nodes with what this machine lacks: GPUs, VirtualGL, Apptainer and images."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.reachable import no_gpu, standins

_SYSTEM = "/usr/local/bin:/usr/bin:/bin"


class Node:
    """A directory of programs that comes first on the job's PATH."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.bin = directory / "bin"
        self.bin.mkdir()
        self.bin.chmod(0o755)

    @property
    def job(self) -> dict[str, str]:
        """What the job's environment has of it."""
        return {"PATH": f"{self.bin}:{no_gpu()}:{_SYSTEM}"}

    def add_gpus(self, *gpus: Mapping[str, Any]) -> None:
        """nvidia-smi (tests/standins/nvidia_smi_standin.py) names these."""
        self._script(
            "nvidia-smi",
            f"export STANDIN_NVIDIA_SMI='{json.dumps(gpus)}'",
            f'exec {sys.executable} -B {standins() / "nvidia_smi_standin.py"} "$@"',
        )

    def add_virtualgl(self, devices: Sequence[Mapping[str, Any]]) -> None:
        """VirtualGL (tests/standins/virtualgl) sees these EGL devices."""
        shutil.copytree(standins() / "virtualgl", self.directory, dirs_exist_ok=True)
        (self.directory / "egl_devices.json").write_text(json.dumps(devices))

    def add_apptainer(self) -> None:
        """Apptainer (tests/standins/apptainer_exec); its calls are in :meth:`calls`."""
        copy = shutil.copytree(standins() / "apptainer_exec", self.directory / "apptainer")
        calls = self.bin / "calls"
        calls.touch()
        calls.chmod(0o666)
        (self.bin / "apptainer").symlink_to(copy / "apptainer")

    def calls(self) -> list[dict[str, Any]]:
        """What Apptainer was called for, in order."""
        text = (self.bin / "calls").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def add_image(self, name: str, programs: Mapping[str, str], **more: Any) -> Path:
        """An image file with these shell scripts as its programs; gives the directory of images."""
        inside = self.directory / f"inside-{name}"
        inside.mkdir()
        inside.chmod(0o755)
        for program, script in programs.items():
            path = inside / program
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        images = self.directory / "images"
        images.mkdir(exist_ok=True)
        images.chmod(0o755)
        description = {"path": [str(inside), str(self.bin)], **more}
        (images / f"sunshine_{name}.sif").write_text(f"SIF_MAGIC\n{json.dumps(description)}\n")
        (images / f"sunshine_{name}.sif").chmod(0o644)
        return images

    def _script(self, name: str, *lines: str) -> None:
        path = self.bin / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(0o755)


@contextmanager
def a_node() -> Iterator[Node]:
    """A node that every user of the machine may use, and that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mlt-node-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Node(Path(name))
