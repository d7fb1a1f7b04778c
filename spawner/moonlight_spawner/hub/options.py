"""What a user may choose on the Hub's form, and by the Hub's API: checked as at every other door."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from ..model.errors import FieldError, InvalidRequest, shorten
from ..model.names import MOST_SIGNS
from ..model.session import Resources
from ..site.images import Catalogue
from ..site.options import MoonlightSite
from ..site.request import keyboards, limits, sizes, validate_name, validate_request

#: Of what a form may have; `desktop` says whether there is to be one.
FIELDS = ("image", "hours", "cpus", "memory_gb", "gpus", "resolution", "keyboard", "name")
_NUMBERS = {"hours": float, "cpus": int, "memory_gb": float, "gpus": int}
# ProfilesSpawner of wrapspawner leaves its own choice among the options of whom it wraps.
_NOT_OURS = {"profile"}
_EXTRA = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,:=@+-]{0,127}", re.ASCII)


def from_form(data: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """A form's fields, each a list of texts, as the REST API has them; numbers become numbers.

    What is no number stays a text, which the check then names. An empty field was left out.
    """
    found: dict[str, Any] = {}
    for name, values in data.items():
        if values and not isinstance(values[-1], str):  # a file: no field of ours
            found[name] = None
            continue
        text = values[-1].strip() if values else ""
        if name == "_xsrf" or not text:
            continue
        found[name] = text
        if name in _NUMBERS:
            try:
                found[name] = _NUMBERS[name](text)
            except ValueError:
                continue
    found["desktop"] = found.get("desktop", "no") != "no"
    return found


def check(
    options: Any, site: MoonlightSite, extra: Sequence[str]
) -> tuple[Resources, bool, dict[str, str], str]:
    """What is asked for, whether a desktop is wanted, what of ``extra`` was chosen, and what the desktop
    is to be called.

    ``extra`` are traits of the spawner that the site lets its users set (``partition``): one word
    each. Nothing else of ``options`` has a meaning.

    Raises
    ------
    InvalidRequest, NotFound, ImageUnavailable
        Naming every wrong field.
    """
    body = dict(options) if isinstance(options, Mapping) else options
    if not isinstance(body, dict):
        raise InvalidRequest([FieldError("body", shorten(body), "The options must be an object.")])
    for name in _NOT_OURS:
        body.pop(name, None)
    errors = []
    desktop = body.pop("desktop", True)
    if not isinstance(desktop, bool):
        errors.append(_error("desktop", desktop, "must be true or false"))
    chosen = {}
    for name in extra:
        value = body.pop(name, None)
        if value is None:
            continue
        if not isinstance(value, str) or not _EXTRA.fullmatch(value):
            errors.append(_error(name, value, "must be one word of letters, digits and _.,:=@+-"))
        else:
            chosen[name] = value
    for name in [name for name in body if name not in FIELDS]:
        allowed = ", ".join((*FIELDS, "desktop", *extra))
        body.pop(name)
        message = f"There is no option {shorten(str(name))}; options are {allowed}."
        errors.append(FieldError(shorten(str(name)), None, message))
    images = Catalogue(site)
    try:
        resources = validate_request(body, site, images.default())
    except InvalidRequest as e:
        raise InvalidRequest([*errors, *e.fields]) from e
    if errors:
        raise InvalidRequest(errors)
    if desktop:
        images.get(resources.image)
    return resources, bool(desktop), chosen, validate_name(body)


def form(site: MoonlightSite, desktop: bool) -> str:
    """The fields that offer a choice, for the Hub to put into its own form."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("form.html.j2").render(
        images=[image for image in Catalogue(site).all() if image.available],
        limits=limits(site),
        site=site,
        keyboards=keyboards(site),
        sizes=sizes(site),
        most_signs=MOST_SIGNS,
        desktop=desktop,
    )


def _error(name: str, value: Any, must: str) -> FieldError:
    return FieldError(name, shorten(value), f"{name} is {shorten(value)!r}, but {must}.")
