"""What an "image" is here, and how Apptainer ends when something is wrong with one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

MAGIC = "SIF_MAGIC\n"
#: A sandbox has its description in this file.
DESCRIPTION = ".standin.json"
Image = dict[str, Any]
Options = dict[str, list[str]]


class Fatal(Exception):
    """Ends with 255, as all of Apptainer's fatal errors do."""


class Unknown(Exception):
    """Something that Apptainer has not got: status 1."""


def warn(text: str) -> None:
    print(f"WARNING: {text}", file=sys.stderr)


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
    start = f"could not open image {path}"
    real = resolved(path, start)
    file = real / DESCRIPTION if real.is_dir() else real
    text = file.read_bytes()[: 1 << 20].decode(errors="replace") if file.exists() else ""
    if not text.startswith(MAGIC):
        raise Fatal(f"{start}: image format not recognized")
    found: Image = json.loads(text.removeprefix(MAGIC).splitlines()[0])
    return found
