"""What an image says of itself, in ``/usr/local/share/moonlight-hpc/image.json``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ...model.session import Model
from ...processes.child import output_of
from .container import Apptainer, Container

log = logging.getLogger(__name__)

PATH = "/usr/local/share/moonlight-hpc/image.json"
_SECONDS = 60.0


class Application(Model):
    """A program that the streaming host offers besides the desktop: name and argument list."""

    name: str = Field(min_length=1, max_length=64)
    command: list[Annotated[str, Field(pattern=r'^[^"\\\x00-\x1f]+$')]] = Field(min_length=1)


class Manifest(Model):
    """Everything has a default: images of other makers have no such file.

    Parameters
    ----------
    opengl
        What VirtualGL is put around: the whole ``desktop``, or only the ``applications`` that call
        ``vglrun`` themselves.
    """

    opengl: Literal["desktop", "applications"] = "desktop"
    application: Application | None = None


async def read_manifest(container: Container, env: Mapping[str, str]) -> Manifest:
    """The manifest of a session's image; that of a bare node is empty."""
    if not isinstance(container, Apptainer):
        return Manifest()
    text = await output_of(container.argv(["cat", PATH], env), env, _SECONDS)
    if text is None:
        return Manifest()
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as e:
        log.warning("%s of %s cannot be read: %s", PATH, container.path, e)
        return Manifest()
