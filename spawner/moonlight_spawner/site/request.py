"""What a user may ask for: checked once, here, whichever door it came in by."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from ..model.errors import FieldError, InvalidRequest, shorten
from ..model.limits import MIN_HEIGHT, MIN_WIDTH
from ..model.names import session_name
from ..model.session import Resources
from .options import MoonlightSite
from .when import address_of, begin_of, mail_of

T = TypeVar("T")

_RESOLUTION = re.compile(r"([1-9][0-9]{2,4})x([1-9][0-9]{2,4})", re.ASCII)
_REQUEST_KEY = re.compile(r"[!-~]{1,128}", re.ASCII)
IMAGE_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
DOOR = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
# What no account database can hold: its own separators, and what would end a line of a log.
_NO_USER = re.compile(r"[:\x00-\x1f\x7f]")

WHERE = ("here", "job")
HOSTS = ("auto", "selkies", "sunshine")

MIN_HOURS = 0.1
MIN_MEMORY_GB = 1.0
MIN_FPS = 10
MIN_BITRATE_KBPS = 500


def limits(site: MoonlightSite) -> dict[str, dict[str, float]]:
    """Smallest and largest value of each number a user may send."""
    return {
        "hours": {"min": min(MIN_HOURS, site.max_hours), "max": site.max_hours},
        "cpus": {"min": 1, "max": site.max_cpus},
        "memory_gb": {"min": min(MIN_MEMORY_GB, site.max_memory_gb), "max": site.max_memory_gb},
        "gpus": {"min": 0, "max": site.max_gpus},
        "width": {"min": MIN_WIDTH, "max": site.max_width},
        "height": {"min": MIN_HEIGHT, "max": site.max_height},
        "fps": {"min": MIN_FPS, "max": site.max_fps},
        "bitrate_kbps": {"min": MIN_BITRATE_KBPS, "max": site.max_bitrate_kbps},
        "sessions": {"min": 0, "max": site.max_sessions},
    }


def keyboards(site: MoonlightSite) -> list[str]:
    """Layouts that a user may ask for, the site's default first."""
    return list(dict.fromkeys([site.keyboard, *site.keyboards]))


def sizes(site: MoonlightSite) -> list[str]:
    """Sizes of a screen to offer, the site's default first; any within the limits may be asked for."""
    usual = [site.resolution, "1920x1080", "1280x720", "1600x900", "2560x1440", "3840x2160"]
    return [size for size in dict.fromkeys(usual) if _fits(size, site)]


def validate_request(body: Any, site: MoonlightSite, default_image: str) -> Resources:
    """The request as a :class:`Resources`, with the site's defaults for what was left out.

    Raises
    ------
    InvalidRequest
        Naming every wrong field, its value and what is allowed.
    """
    if not isinstance(body, dict):
        raise InvalidRequest(
            [FieldError("body", shorten(body), "The request must be a JSON object with fields.")]
        )
    allowed = limits(site)
    checks: dict[str, tuple[Any, Callable[[str, Any], Any]]] = {
        "image": (default_image, _image),
        "hours": (site.hours, lambda n, v: float(_number(n, v, allowed[n]))),
        "cpus": (site.cpus, lambda n, v: _integer(n, v, allowed[n])),
        "memory_gb": (site.memory_gb, lambda n, v: float(_number(n, v, allowed[n]))),
        "gpus": (site.gpus, lambda n, v: _integer(n, v, allowed[n])),
        "resolution": (site.resolution, lambda n, v: _resolution(n, v, allowed)),
        "fps": (site.fps, lambda n, v: _integer(n, v, allowed[n])),
        "bitrate_kbps": (site.bitrate_kbps, lambda n, v: _integer(n, v, allowed[n])),
        "keyboard": (site.keyboard, lambda n, v: _one_of(n, v, keyboards(site))),
        # Who names a size wants that one.
        "follow_window": ("resolution" not in body, _yes_or_no),
        "host": (site.streaming_host, lambda n, v: _one_of(n, v, HOSTS)),
        "picture": (True, _yes_or_no),
        "begin": (None, lambda n, v: _said(n, v, lambda: begin_of(v, site))),
        "mail": (False, lambda n, v: _said(n, v, lambda: mail_of(v, site))),
        "mail_to": ("", lambda n, v: _said(n, v, lambda: address_of(v))),
        "name": ("", _name),
    }
    errors = [
        _error(
            shorten(name),
            value,
            f"There is no field {shorten(name)}; fields are {', '.join(checks)}.",
        )
        for name, value in list(body.items())[:20]
        if name not in checks
    ]
    values = {}
    for name, (fallback, check) in checks.items():
        try:
            values[name] = check(name, body.get(name, fallback))
        except _Wrong as e:
            errors.append(_error(name, body.get(name), str(e)))
    if errors:
        raise InvalidRequest(errors)
    del values["name"]  # no resource: :func:`validate_name` gives it
    return Resources(**values)


def validate_name(body: Any) -> str:
    """The name that a launch or a renaming gives a desktop, empty for none.

    Raises
    ------
    InvalidRequest
    """
    value = body.get("name", "") if isinstance(body, dict) else body
    try:
        return _name("name", value)
    except _Wrong as e:
        raise InvalidRequest([_error("name", value, str(e))]) from e


def validate_renaming(body: Any) -> str:
    """The name in ``{"name": "…"}``, which has nothing else; empty takes the old one away.

    Raises
    ------
    InvalidRequest
    """
    if not isinstance(body, dict) or list(body) != ["name"]:
        message = 'The request must be {"name": "…"}: nothing else of a session can be changed.'
        raise InvalidRequest([FieldError("body", shorten(body), message)])
    return validate_name(body)


def validate_where(body: Any) -> tuple[str | None, Any]:
    """Whether the desktop is to run in the server's own job (`here`) or in a `job` of its own, None
    if the request leaves it to the site; and the rest of the request.

    Raises
    ------
    InvalidRequest
    """
    if not isinstance(body, dict) or "where" not in body:
        return None, body
    rest = {name: value for name, value in body.items() if name != "where"}
    try:
        return _one_of("where", body["where"], WHERE), rest
    except _Wrong as e:
        raise InvalidRequest([_error("where", body["where"], str(e))]) from e


def cannot_be(where: str, why: str) -> InvalidRequest:
    """That a desktop cannot run ``where`` it was asked for."""
    return InvalidRequest([_error("where", where, f"where is {where!r}, but {why}")])


def begins_at_once(begin: datetime) -> InvalidRequest:
    """That a desktop in a job that is there already waits for no time."""
    message = f"begin is {begin.isoformat()}, but a desktop in a job that is there begins at once."
    return InvalidRequest([_error("begin", begin.isoformat(), message)])


def validate_request_key(key: str | None) -> str | None:
    """An idempotency key, or None if the caller sent none."""
    if key is None:
        return None
    if not _REQUEST_KEY.fullmatch(key):
        raise InvalidRequest(
            [
                _error(
                    "Idempotency-Key", key, "Idempotency-Key must be 1 to 128 printable characters."
                )
            ]
        )
    return key


def validate_user(user: str) -> str:
    """A login name as the account database may have it: 20231234, DOM\\user, first last, 홍길동.

    What of it would be wrong in a path or an id is mapped there (account.path_name).
    """
    if not 0 < len(user) <= 256 or user.startswith("-") or _NO_USER.search(user):
        raise InvalidRequest([_error("user", user, f"{shorten(user)} is no login name.")])
    return user


def _fits(size: str, site: MoonlightSite) -> bool:
    width, height = map(int, size.split("x"))
    return width <= site.max_width and height <= site.max_height


class _Wrong(ValueError):
    pass


def _error(name: str, value: Any, message: str) -> FieldError:
    return FieldError(name, _shown(value), message)


def _shown(value: Any) -> Any:
    """As :func:`shorten`; numbers that JSON cannot carry or nobody wants to read become words."""
    if isinstance(value, int) and abs(value) > 10**15:
        return "a number of many digits"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return shorten(value)


def _number(name: str, value: Any, limit: dict[str, float]) -> float:
    infinite = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or infinite:
        raise _Wrong(f"{name} is {_shown(value)!r}, but must be a number.")
    if not limit["min"] <= value <= limit["max"]:
        raise _Wrong(
            f"{name} is {_shown(value)}, but this site allows {limit['min']:g} to {limit['max']:g}."
        )
    return value


def _integer(name: str, value: Any, limit: dict[str, float]) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON has one kind of numbers: to it 30.0 is whole
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Wrong(f"{name} is {_shown(value)!r}, but must be a whole number.")
    return int(_number(name, value, limit))


def _yes_or_no(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(f"{name} is {_shown(value)!r}, but must be true or false.")
    return value


def _name(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"{name} is {_shown(value)!r}, but must be a text.")
    return _said(name, value, lambda: session_name(value))


def _said(name: str, value: Any, check: Callable[[], T]) -> T:
    try:
        return check()
    except ValueError as e:
        raise _Wrong(f"{name} is {_shown(value)!r}, but {e}.") from e


def _image(name: str, value: Any) -> str:
    if not isinstance(value, str) or not IMAGE_ID.fullmatch(value):
        raise _Wrong(f"{name} is {_shown(value)!r}, but must be the id of an image.")
    return value


def _one_of(name: str, value: Any, known: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise _Wrong(f"{name} is {_shown(value)!r}, but must be one of {', '.join(known)}.")
    return value


def _resolution(name: str, value: Any, allowed: dict[str, dict[str, float]]) -> str:
    match = _RESOLUTION.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise _Wrong(f"{name} is {_shown(value)!r}, but must look like 1920x1080.")
    width, height = int(match[1]), int(match[2])
    for side, pixels in (("width", width), ("height", height)):
        if not allowed[side]["min"] <= pixels <= allowed[side]["max"]:
            raise _Wrong(
                f"{name} is {value}, but this site allows {allowed['width']['min']:g}x"
                f"{allowed['height']['min']:g} to {allowed['width']['max']:g}x"
                f"{allowed['height']['max']:g}."
            )
    return match[0]
