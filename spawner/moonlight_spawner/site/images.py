"""The image catalogue: what can be launched, what cannot, and why.

Images are declared in ``image_defs/catalog.json``, optional ones are shown where they are; every other
``sunshine_*.sif`` of the image directory is offered too. Where no image can be used, the node's own
desktop is offered instead.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import sysconfig
from pathlib import Path
from typing import Any

from pydantic import Field

from ..model.errors import ImageUnavailable, NotFound
from ..model.session import Model
from .options import MoonlightSite

HOST_DESKTOP = "host-desktop"
#: Images of ours begin with it: others' may lie beside them.
IMAGE_PREFIX = "sunshine_"
_SIF_NAME = re.compile(IMAGE_PREFIX + r"([a-z0-9][a-z0-9_.-]{0,50})\.sif", re.ASCII)


class Image(Model):
    """One entry of the catalogue. ``path`` is the image file, None for the node's own desktop;
    ``application`` is the program that is started in the place of a desktop, if it is one's entry.

    What keeps one from being used is said twice: ``unavailable_reason`` to those who would use it,
    ``unavailable_detail`` with names of files to those who can mend it. ``follows_window``: its screen
    can have the size of the window that shows it. ``names`` and ``descriptions`` are those in other
    languages, by their tags (``ko``).
    """

    id: str
    name: str
    description: str = ""
    names: dict[str, str] = {}
    descriptions: dict[str, str] = {}
    icon: str = "application"
    default: bool = False
    available: bool = True
    unavailable_code: str | None = None
    unavailable_reason: str | None = None
    unavailable_detail: str | None = None
    follows_window: bool = False
    path: str | None = Field(default=None, exclude=True)
    application: list[str] = Field(default=[], exclude=True)

    def streaming_host(self, wanted: str) -> str:
        """The host that streams it: images bring Sunshine, a bare node has selkies."""
        if wanted != "auto":
            return wanted
        return "sunshine" if self.path else "selkies"


def follows_window(host: str) -> bool:
    """Whether this streaming host gives the screen the size of its window."""
    return host == "selkies"


class Catalogue:
    """The images of a site. Reads the directory anew at each call: it is small and changes."""

    def __init__(self, site: MoonlightSite):
        self._site = site

    def all(self) -> list[Image]:
        """All images, the default one first."""
        directory = Path(self._site.images_dir)
        images = []
        for entry in _declared():
            entry = dict(entry)
            path = directory / entry.pop("file")
            if entry.pop("optional", False) and not os.path.lexists(path):
                continue
            images.append(_with_file(Image(**entry), path))
        known = {image.path for image in images}
        for path, name in _found(directory):
            if str(path) not in known and name != HOST_DESKTOP:
                title = name.replace("_", " ").capitalize()
                images.append(_with_file(Image(id=name, name=title), path))
        usable = any(image.available for image in images)
        wanted = self._site.host_desktop
        if wanted == "always" or (wanted == "auto" and not usable):
            images.append(
                Image(
                    id=HOST_DESKTOP,
                    name="Linux desktop (XFCE)",
                    description="A light desktop with the programs of the machine that it runs on.",
                    names={"ko": "리눅스 데스크톱(XFCE)"},
                    descriptions={"ko": "실행되는 컴퓨터의 프로그램을 쓰는 가벼운 데스크톱입니다."},
                    icon="desktop",
                )
            )
        images += self._applications({image.id: image for image in images})
        wanted_host = self._site.streaming_host
        for image in images:
            image.follows_window = follows_window(image.streaming_host(wanted_host))
        return _one_default(images)

    def _applications(self, images: dict[str, Image]) -> list[Image]:
        """The site's, each as usable as the image that it is in."""
        found = []
        for name, told in self._site.applications.items():
            if name in images:
                continue
            said = {key: told[key] for key in ("name", "description", "icon") if key in told}
            entry = Image(id=name, application=told["command"], **{"name": name, **said})
            where = images.get(told["image"]) if "image" in told else None
            if where is not None:
                kept = {"path", "available"} | {k for k in Image.model_fields if "unavail" in k}
                entry = entry.model_copy(update={key: getattr(where, key) for key in kept})
            elif "image" in told:
                what = f"The setting `applications` has {name} in an image {told['image']}"
                detail = f"{what}, which is none of the site's."
                entry.available, entry.unavailable_code = False, "ImageMissing"
                entry.unavailable_reason = _REASONS["ImageMissing"]
                entry.unavailable_detail = detail
            found.append(entry)
        return found

    def default(self) -> str:
        """Id of the image that is launched when none is named."""
        return next(image.id for image in self.all() if image.default)

    def get(self, image_id: str) -> Image:
        """An image that can be launched.

        Raises
        ------
        NotFound
            No image has that id.
        ImageUnavailable
            It exists and cannot be used now.
        """
        images = {image.id: image for image in self.all()}
        image = images.get(image_id)
        if image is None:
            raise NotFound(f"There is no image {image_id}. Images are: {', '.join(images)}.")
        if not image.available:
            raise ImageUnavailable(f"Image {image_id} cannot be used: {image.unavailable_reason}")
        return image


def data_file(*parts: str) -> Path:
    """A file that the distribution ships under ``share/moonlight-hpc``, or has in its source tree.

    Raises
    ------
    FileNotFoundError
        It is in neither place: the installation is broken.
    """
    roots = [
        Path(sysconfig.get_path("data")) / "share" / "moonlight-hpc",
        Path(sys.prefix) / "share" / "moonlight-hpc",
        Path(sysconfig.get_path("data", f"{os.name}_user")) / "share" / "moonlight-hpc",
        Path(__file__).resolve().parents[3],
    ]
    for root in roots:
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"{'/'.join(parts)} is in none of {', '.join(map(str, roots))}")


def may_put(directory: Path) -> bool:
    """Whether this process's user may put an image there, also into a directory that he has to make."""
    there = next(d for d in (directory, *directory.parents) if os.path.lexists(d) or d == d.parent)
    return os.access(there, os.W_OK | os.X_OK)


def _declared() -> list[dict[str, Any]]:
    return list(json.loads(data_file("image_defs", "catalog.json").read_text("utf-8"))["images"])


def _found(directory: Path) -> list[tuple[Path, str]]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    return [(directory / n, m[1]) for n in names if (m := _SIF_NAME.fullmatch(n))]


def _with_file(image: Image, path: Path) -> Image:
    code, detail = _why_not(path) or (None, None)
    return image.model_copy(
        update={
            "path": str(path),
            "available": code is None,
            "unavailable_code": code,
            "unavailable_reason": _REASONS[code] if code else None,
            "unavailable_detail": detail,
        }
    )


_REASONS = {
    "ImageMissing": "It is not installed here.",
    "ImageForbidden": "You may not use it. Ask your administrators for access.",
    "ImageUntrusted": "It is kept back, because others could exchange its file. "
    "Tell your administrators.",
    "ImageBroken": "Its file cannot be read. Tell your administrators.",
}


def _why_not(path: Path) -> tuple[str, str] | None:
    """A code and a sentence for administrators; None if the image can be used."""
    try:
        info, directory = path.stat(), path.parent.stat()
    except FileNotFoundError:
        detail = f"The image file {path} does not exist. An administrator has to build or copy it."
        return "ImageMissing", detail
    except OSError as e:
        code = "ImageForbidden" if isinstance(e, PermissionError) else "ImageBroken"
        return code, f"The image file {path} cannot be looked at: {e.strerror}."
    if not stat.S_ISREG(info.st_mode):
        return "ImageBroken", f"{path} is not a regular file."
    if why := _exchangeable(path, info, directory):
        return "ImageUntrusted", why
    if not os.access(path, os.R_OK):
        return "ImageForbidden", f"You may not read the image file {path}."
    return None


def _exchangeable(path: Path, info: os.stat_result, directory: os.stat_result) -> str:
    """Who could put another image there, whose programs run as everybody who launches it."""
    if info.st_mode & stat.S_IWOTH:
        return f"Anyone may write to {path} (mode {info.st_mode & 0o777:o}), so it is not trusted."
    if directory.st_mode & stat.S_IWOTH:
        return f"Anyone may write to {path.parent}, so the images in it are not trusted."
    if info.st_uid not in (0, os.geteuid(), directory.st_uid):
        return f"{path} belongs to uid {info.st_uid}, who does not own its directory: not trusted."
    return ""


def _one_default(images: list[Image]) -> list[Image]:
    """The declared default if it can be used, else the first that can."""
    ranked = sorted(images, key=lambda image: (not image.available, not image.default))
    chosen = ranked[0].id if ranked else None
    marked = [image.model_copy(update={"default": image.id == chosen}) for image in images]
    return sorted(marked, key=lambda image: not image.default)
