"""What an "image" is here, and how Apptainer ends when something is wrong with one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from said import in_colours, say

MAGIC = "SIF_MAGIC\n"
#: A sandbox has its description in this file.
DESCRIPTION = ".standin.json"
Image = dict[str, Any]
Options = dict[str, list[str]]


class Fatal(Exception):
    """Ends with 255, as all of Apptainer's fatal errors do."""

    def say(self) -> None:
        say("FATAL", str(self))


class Unknown(Exception):
    """Something that Apptainer has not got: status 1."""


def words(error: OSError) -> str:
    """As Go says it."""
    return os.strerror(error.errno or 0).lower()


def resolved(path: str, start: str) -> Path:
    """The real path; Fatal, beginning with ``start``, names the first part that is missing."""
    try:
        return Path(path).resolve(strict=True)
    except OSError as e:
        whole = Path(os.path.abspath(path))
        missing = next(p for p in [*reversed(whole.parents), whole] if not os.path.lexists(p))
        why = f"failed to retrieve path for {path}: lstat {missing}: {words(e)}"
        raise Fatal(f"{start}: {why}") from e


def described(path: str) -> Image:
    """The description in an image file, or in a sandbox."""
    start = f"While checking container encryption: could not open image {path}"
    text = _text(resolved(path, start))
    if text is None:
        raise Fatal(f"{start}: image format not recognized")
    return _read(text)


def source(path: str) -> Image:
    """The same of what something is built from: a file that is no image is taken for a definition."""
    start = f"Unable to build from {path}"
    if not os.path.exists(path):
        why = f"open {path}: no such file or directory"
        raise Fatal(f"{start}: unable to open file {path}: {why}")
    if (text := _text(Path(path))) is None:
        why = "failed to parse deffile header: invalid header"
        raise Fatal(f"{start}: while parsing definition: {path}: {why}")
    return _read(text)


def _text(real: Path) -> str | None:
    file = real / DESCRIPTION if real.is_dir() else real
    text = file.read_bytes()[: 1 << 20].decode(errors="replace") if file.exists() else ""
    return text if text.startswith(MAGIC) else None


def _read(text: str) -> Image:
    found: Image = json.loads(text.removeprefix(MAGIC).splitlines()[0])
    in_colours(bool(found.get("colours")))
    return found
