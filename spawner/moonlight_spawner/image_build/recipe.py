"""What an image is made of: its catalogue entry, its definition file, the pinned downloads."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..model.errors import NotFound
from ..site.images import data_file

_OUTPUT = re.compile(r"sunshine_([a-z0-9][a-z0-9_.-]{0,50})\.sif", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*", re.ASCII)


@dataclass(frozen=True)
class Download:
    """One pinned file. ``sha256`` is lower-case hexadecimal; ``url`` is HTTPS; ``distributions`` are those
    that it runs on."""

    name: str
    version: str
    url: str
    sha256: str
    file: str
    distributions: tuple[str, ...]


@dataclass(frozen=True)
class Base:
    """The distribution's own image: by tag, by digest where one is set, or from ``file`` offline."""

    image: str
    tag: str
    digest: str
    file: str

    @property
    def reference(self) -> str:
        """What `From:` says. Apptainer takes a tag or a digest, not both."""
        return f"{self.image}@{self.digest}" if self.digest else f"{self.image}:{self.tag}"


@dataclass(frozen=True)
class Pins:
    """``pins.json``."""

    base: Base
    downloads: tuple[Download, ...]

    def version(self, name: str) -> str:
        """``none`` where it is not among them."""
        return next((d.version for d in self.downloads if d.name == name), "none")

    def of(self, *distributions: str) -> Pins:
        """Those that run on one of them."""
        found = (d for d in self.downloads if set(d.distributions) & set(distributions))
        return replace(self, downloads=tuple(found))

    @property
    def have_sunshine(self) -> bool:
        return any(d.name == "sunshine" for d in self.downloads)


@dataclass(frozen=True)
class Recipe:
    """One image that can be built.

    Attributes
    ----------
    id
        Its id in the catalogue.
    file
        Name of the result, ``sunshine_*.sif``.
    definition
        Its definition file, for a build from scratch.
    """

    id: str
    file: str
    definition: Path

    @property
    def stem(self) -> str:
        return self.file.removesuffix(".sif")

    @property
    def vnc_file(self) -> str:
        """The VNC image of the same desktop."""
        return "vnc_" + self.file.removeprefix("sunshine_")

    @property
    def with_lsprepost(self) -> bool:
        """Whether the definition asks for the site's own copy of LS-PrePost."""
        return "{{ LSPREPOST }}" in self.definition.read_text("utf-8")


def definitions() -> Path:
    """The directory ``image_defs`` of this installation."""
    return data_file("image_defs", "pins.json").parent


def recipes(directory: Path) -> list[Recipe]:
    """The images of ``catalog.json``, in its order.

    Raises
    ------
    ValueError
        An entry's file is not called ``sunshine_*.sif``.
    """
    found = []
    for entry in json.loads((directory / "catalog.json").read_text("utf-8"))["images"]:
        name = str(entry["file"])
        if not _OUTPUT.fullmatch(name):
            raise ValueError(
                f"catalog.json: the file of image {entry['id']} is {name!r}, but must be called "
                "sunshine_<name>.sif: only such files are built or replaced."
            )
        definition = directory / name.replace(".sif", ".def")
        found.append(Recipe(str(entry["id"]), name, definition))
    return found


def chosen(all_recipes: list[Recipe], names: Iterable[str]) -> list[Recipe]:
    """The recipes with these names: an id, a file, or the file without ``.sif``.

    Raises
    ------
    NotFound
        No image has that name.
    """
    result: list[Recipe] = []
    for name in names:
        match = [r for r in all_recipes if name in (r.id, r.file, r.stem)]
        if not match:
            known = ", ".join(r.id for r in all_recipes)
            raise NotFound(f"There is no image {name} to build. Images are: {known}.")
        result += [r for r in match if r not in result]
    return result


def read_pins(path: Path) -> Pins:
    """The pins.

    Raises
    ------
    ValueError
        One has no checksum, an address that is not HTTPS, or a name that is a path.
    """
    data = json.loads(path.read_text("utf-8"))
    downloads = []
    for entry in data["downloads"]:
        one = Download(
            **{k: str(entry[k]) for k in ("name", "version", "url", "sha256", "file")},
            distributions=tuple(map(str, entry["for"])),
        )
        if not _DIGEST.fullmatch(one.sha256):
            raise ValueError(f"{path}: {one.name} has no SHA-256; it must have one to be used.")
        if urlsplit(one.url).scheme != "https":
            raise ValueError(f"{path}: {one.name} is not fetched by HTTPS: {one.url}")
        if not _FILE.fullmatch(one.file):
            raise ValueError(f"{path}: the file of {one.name} is {one.file!r}, not a plain name.")
        downloads.append(one)
    base: dict[str, Any] = data["base"]
    return Pins(
        Base(**{k: str(base[k]) for k in ("image", "tag", "digest", "file")}), (*downloads,)
    )


def fingerprint(directory: Path, *more: str) -> str:
    """A digest of all files of ``image_defs`` and of ``more``: the same value, the same build."""
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(directory)}\0{content}\0".encode())
    digest.update("\0".join(more).encode())
    return digest.hexdigest()
