"""``moonlight-hpc images``: what can be launched; ``images build``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..image_build.command import add_build_command
from ..sessions.manager import SessionManager
from .command import add_command


def add_commands(groups: Any) -> None:
    images = add_command(groups, "images", _images, "list what can be launched, or build it")
    add_build_command(images.add_subparsers(metavar="[build]"))


async def _images(manager: SessionManager, user: str, options: argparse.Namespace) -> int:
    images = manager.images.all()
    if options.json:
        print(json.dumps([i.model_dump() for i in images], indent=2))
        return 0
    for image in images:
        mark = "*" if image.default else " "
        state = "available" if image.available else f"not available: {image.unavailable_detail}"
        print(f"{mark} {image.id:24} {image.name:28} {state}")
    return 0
