"""What a user chose in the launch form: the last time, and under names of his own (presets).

It is kept for his pages and read by nothing else: a launch says itself all that it asks for.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..model.errors import FieldError, InvalidRequest, shorten
from ..model.names import session_name
from ..model.texts import Words
from .request import IMAGE_ID

MOST_PRESETS, MOST_IMAGES, MOST_FIELDS = 50, 50, 24
MOST_NAME_SIGNS = 80
#: Of all of them, as JSON.
MOST_BYTES = 48 << 10
FIELD = "^[a-z][a-z0-9_]{0,31}$"
#: A field's text as it stands in the form.
TEXT = "^[ -~]{0,64}$"
IMAGE = f"^{IMAGE_ID.pattern}$"
REVISION = "^[0-9a-f]{0,64}$"
_MOST_FAULTS = 20


def _preset_name(text: str) -> str:
    name = session_name(text, MOST_NAME_SIGNS)
    if not name:
        raise ValueError("must have a character that can be seen")
    return name


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _different(presets: list[Preset]) -> list[Preset]:
    names = [preset.name for preset in presets]
    if len(set(names)) < len(names):
        raise ValueError("must have names that differ")
    return presets


_Image = Annotated[str, Field(pattern=IMAGE)]
_Values = Annotated[
    dict[Annotated[str, Field(pattern=FIELD)], Annotated[str, Field(pattern=TEXT)]],
    Field(max_length=MOST_FIELDS),
]


class Preset(_Part):
    """What the form had when it was named."""

    name: Annotated[str, AfterValidator(_preset_name)]
    image: _Image
    values: _Values


class Choices(_Part):
    """``image``: of the last launch; ``values``: of each image's last one; ``picture``: whether those of
    all are shown."""

    image: _Image | None = None
    picture: Annotated[str, Field(pattern=TEXT)] | None = None
    values: Annotated[dict[_Image, _Values], Field(max_length=MOST_IMAGES)] = {}
    presets: Annotated[
        list[Preset], Field(max_length=MOST_PRESETS), AfterValidator(_different)
    ] = []


class KeptChoices(_Part):
    """``revision`` names what is kept, empty if nothing is. ``damaged``: the file that is, or was, in its
    place and cannot be read."""

    revision: str = Field(pattern=REVISION)
    choices: Choices
    damaged: Annotated[Words, Field(max_length=8192)] | None = None


class _Wish(_Part):
    revision: str = Field(pattern=REVISION)
    choices: Choices


def validate_choices(body: Any) -> tuple[str, Choices]:
    """``{"revision": "…", "choices": {…}}``: what is to be kept, and what it was made of.

    Raises
    ------
    InvalidRequest
    """
    if not isinstance(body, dict):
        message = 'The request must be {"revision": "…", "choices": {…}}.'
        raise InvalidRequest([FieldError("body", shorten(body), message)])
    try:
        wish = _Wish.model_validate(body)
    except ValidationError as e:
        raise InvalidRequest([_fault(error) for error in e.errors()[:_MOST_FAULTS]]) from None
    size = len(wish.choices.model_dump_json().encode())
    if size > MOST_BYTES:
        message = f"choices have {size} bytes; at most {MOST_BYTES} are kept. Delete a preset."
        raise InvalidRequest([FieldError("choices", None, message)])
    return wish.revision, wish.choices


def _fault(error: Any) -> FieldError:
    field = shorten(".".join(map(str, error["loc"])), 150)
    return FieldError(field, shorten(error["input"]), f"{field}: {error['msg']}.")
