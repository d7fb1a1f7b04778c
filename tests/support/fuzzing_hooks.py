"""What schemathesis has to be told besides: a launch that would be taken would fill the machine, and
what a site allows of a screen's size, and which signs make no name, no pattern says."""

from __future__ import annotations

import re
from typing import Any

import schemathesis
from schemathesis.core import NOT_SET

_SIZE = re.compile("[1-9][0-9]{2,4}x[1-9][0-9]{2,4}")


# Of all texts that are no longer than a name may be, most have signs in them that no name may have.
_LONGEST_NAME, _LONGEST_PRESET_NAME = 60, 80


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    name = case.body.get("name") if isinstance(case.body, dict) else None
    if isinstance(name, str) and len(name) <= _LONGEST_NAME:
        case.body["name"] = "x" * len(name)
    if (case.method, case.path) == ("PUT", "/api/moonlight/choices"):
        _name_presets(case.body)
    if (case.method, case.path) == ("POST", "/api/moonlight/sessions"):
        if case.body is NOT_SET:
            case.body, case.media_type = {"image": "none"}, "application/json"
        elif isinstance(case.body, dict):
            if case.body.get("image", "host-desktop") == "host-desktop":  # the one that there is
                case.body["image"] = "none"
            if _SIZE.fullmatch(str(case.body.get("resolution"))):
                case.body["resolution"] = "1024x768"


def _name_presets(body: Any) -> None:
    """Each by a name of its own, that could be one but for its signs."""
    choices = body.get("choices") if isinstance(body, dict) else None
    presets = choices.get("presets") if isinstance(choices, dict) else None
    for at, preset in enumerate(presets if isinstance(presets, list) else ()):
        name = preset.get("name") if isinstance(preset, dict) else None
        if isinstance(name, str) and 0 < len(name) <= _LONGEST_PRESET_NAME:
            preset["name"] = f"preset {at}"
