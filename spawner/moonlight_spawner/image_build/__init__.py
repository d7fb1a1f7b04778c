"""Builds the Apptainer images that sessions run in: ``moonlight-hpc images build``.

Each image goes through steps that are remembered, so that a build that was cut off goes on where it
was. The finished file takes the old one's place in one step, after a self-test; a build that fails
leaves the old image as it is. The files that all this works on are in ``image_defs/``.
"""

from __future__ import annotations

from .command import add_build_command, build_images

__all__ = ["add_build_command", "build_images"]
