"""Letters that no key has: an input method for Korean, Japanese and Chinese.

It begins with the desktop, by a few lines of shell beside this file that run where the desktop runs: only
there can be seen what is installed, which in an image is the image's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ...model.files import write_private
from ...model.records import Spec

_SCRIPT = Path(__file__).with_suffix(".sh")
# What is chosen in the form counts more than the language of the account.
_OF_LAYOUTS = {"kr": "ko", "jp": "ja", "cn": "zh", "tw": "zh_TW"}
_OF_LOCALES = {"ko": "ko", "ja": "ja", "zh_TW": "zh_TW", "zh_HK": "zh_TW", "zh": "zh"}


def input_language(layout: str, env: Mapping[str, str]) -> str:
    """The language that needs an input method; empty if none does.

    Parameters
    ----------
    layout
        That of the keyboard, such as ``kr`` or ``de(nodeadkeys)``.
    env
        With the locale, as locale(7) has it.
    """
    if chosen := _OF_LAYOUTS.get(layout.partition("(")[0]):
        return chosen
    said = next((env[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if env.get(name)), "")
    place = re.split(r"[.@]", said)[0]
    return _OF_LOCALES.get(place) or _OF_LOCALES.get(place.partition("_")[0], "")


def around_desktop(spec: Spec, env: Mapping[str, str], runtime: Path) -> list[str]:
    """What a desktop is run by, so that its user can write his language; nothing if keys have all its
    letters, or the site does not want it. ``runtime`` is the session's private directory."""
    language = input_language(spec.request.keyboard, env)
    if not language or not spec.input_method:
        return []
    path = runtime / _SCRIPT.name
    write_private(path, _SCRIPT.read_text())
    return ["/bin/sh", str(path), language]
