"""What schemathesis has to be told besides: a launch that would be taken would fill the machine, and
what a site allows of a screen's size no pattern says."""

from __future__ import annotations

import re
from typing import Any

import schemathesis
from schemathesis.core import NOT_SET

_SIZE = re.compile("[1-9][0-9]{2,4}x[1-9][0-9]{2,4}")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    if (case.method, case.path) == ("POST", "/api/moonlight/sessions"):
        if case.body is NOT_SET:
            case.body, case.media_type = {"image": "none"}, "application/json"
        elif isinstance(case.body, dict):
            case.body.setdefault("image", "none")
            if _SIZE.fullmatch(str(case.body.get("resolution"))):
                case.body["resolution"] = "1024x768"
