"""A site with a stand-in Apptainer, small downloads, and the real definitions."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.image_build import add_build_command, build_images, command

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = ROOT / "image_defs"
STANDINS = ROOT / "tests" / "standins"
SIF = b"SIF_MAGIC\n"


@dataclass
class Builder:
    """`moonlight-hpc images build` in a directory of its own."""

    home: Path
    said: list[str] = field(default_factory=list)

    @property
    def output(self) -> Path:
        return self.home / "output"

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def offline(self) -> Path:
        return self.home / "offline"

    @property
    def vnc(self) -> Path:
        return self.home / "vnc"

    @property
    def standin(self) -> Path:
        return self.home / "standin"

    def options(self, *words: str) -> list[str]:
        """Words of the command line, with the places filled in unless they name their own."""
        places = {"--output-dir": self.output, "--work-dir": self.work, "--offline": self.offline}
        more = [w for k, v in places.items() if k not in words for w in (k, str(v))]
        return ["build", *words, *more]

    def build(self, *words: str) -> int:
        self.said.clear()
        return build_images(parsed(self.options(*words)), self.said.append)

    def fail(self, **steps: Any) -> None:
        """Tell the stand-in which steps fail, and how; without arguments none does."""
        names = {k.replace("_", "-"): v for k, v in steps.items()}
        (self.standin / "fail").write_text(json.dumps(names))

    def calls(self) -> list[list[str]]:
        path = self.standin / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line)["argv"] for line in lines]

    def did(self) -> list[str]:
        """What Apptainer was called for, in one word each."""
        return [word(argv) for argv in self.calls() if not asking(argv)]

    def forget_calls(self) -> None:
        (self.standin / "calls").unlink(missing_ok=True)

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    def image(self, name: str = "desktop") -> Path:
        return self.output / f"sunshine_{name}.sif"

    def old_image(self, name: str = "desktop") -> Path:
        """An image that is there already."""
        self.output.mkdir(exist_ok=True)
        self.image(name).write_bytes(SIF + b"the old one")
        return self.image(name)


def asking(argv: list[str]) -> bool:
    """Whether it is one of the questions before anything is begun."""
    return argv == ["--version"] or argv[-1] == "/etc/os-release"


def word(argv: list[str]) -> str:
    if argv[0] == "build":
        return "unpack" if "--sandbox" in argv else "build" if argv[-1].endswith(".def") else "pack"
    image = next(i for i, a in enumerate(argv) if a.startswith("/") and ":" not in a)
    inner = argv[image + 1 :]
    return Path(inner[1] if inner[0] == "/bin/bash" else inner[0]).name


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_build_command(parser.add_subparsers())
    return parser.parse_args(words)


def small_definitions(target: Path, offline: Path) -> None:
    """The real definitions with pins of small files, which ``offline`` gets."""
    shutil.copytree(DEFINITIONS, target)
    pins = json.loads((target / "pins.json").read_text())
    offline.mkdir()
    for one in pins["downloads"]:
        content = f"this is {one['name']}".encode()
        (offline / one["file"]).write_bytes(content)
        one["sha256"] = hashlib.sha256(content).hexdigest()
    (target / "pins.json").write_text(json.dumps(pins))
    (offline / pins["base"]["file"]).write_bytes(SIF)


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    made = Builder(tmp_path)
    small_definitions(tmp_path / "image_defs", made.offline)
    made.standin.mkdir()
    made.vnc.mkdir()
    for name in ("desktop", "gnome"):
        (made.vnc / f"vnc_{name}.sif").write_bytes(SIF + name.encode())
        (made.vnc / f"vnc_{name}.sif").chmod(0o640)
    monkeypatch.setenv("STANDIN_APPTAINER", str(made.standin))
    # With this Python, and not the first on PATH: it is started hundreds of times.
    _, _, text = (STANDINS / "apptainer").read_text().partition("\n")
    program = tmp_path / "bin" / "apptainer"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable} -IS\n{text}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(command, "definitions", lambda: tmp_path / "image_defs")
    return made
