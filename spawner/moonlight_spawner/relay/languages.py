"""What is said where our page is not: in place of a desktop, behind jupyter-server-proxy, on the desktop.

``words/`` has one file for each language, named by its tag; nothing else has to know of it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "words"
ENGLISH = "en"


@cache
def languages() -> frozenset[str]:
    return frozenset(path.stem for path in DIRECTORY.glob("*.json"))


@cache
def words(language: str) -> Any:
    """The words of a language that is spoken, by what they are for."""
    return json.loads((DIRECTORY / f"{language}.json").read_text("utf-8"))


def spoken(accepted: str) -> str:
    """The first language of a browser's Accept-Language that is spoken, else English.

    Browsers name them in the order in which their user wants them.
    """
    for part in accepted.lower().split(","):
        tag = part.partition(";")[0].strip()
        for known in (tag, tag.partition("-")[0]):
            if known in languages():
                return known
    return ENGLISH


def of_locale(name: str) -> str:
    """The language of a locale such as ``ko_KR.UTF-8`` (locale(7)), if it is spoken; else English."""
    return spoken(name.partition(".")[0].replace("_", "-"))
