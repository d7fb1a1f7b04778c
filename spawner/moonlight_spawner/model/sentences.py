"""Sentences for the user that a page may say in another language.

A sentence is English text everywhere: in logs, in terminals, in comparisons. It carries a code and
parameters besides, as errors do, and only who writes JSON or words a page looks at these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from .texts import Words, printable

#: What a sentence speaks of, by name. In records that a service reads for many users.
Params = Annotated[dict[str, Words], Field(max_length=16)]
_PARAMS = TypeAdapter(Params)


class Said(str):
    """A sentence by its code; ``{name}`` in it stands for a parameter.

    >>> said = Said.by("Silent", "The desktop is silent: {why}.", why="no sound card")
    >>> said, said.code, said.params
    ('The desktop is silent: no sound card.', 'Silent', {'why': 'no sound card'})

    In JSON it is ``{"code", "params", "message"}``; a plain string, as older versions wrote it, is
    a sentence without a code.
    """

    code: str
    params: dict[str, str]

    def __new__(cls, message: str, code: str = "", params: Mapping[str, str] | None = None) -> Said:
        said = super().__new__(cls, message)
        said.code, said.params = code, dict(params or {})
        return said

    @classmethod
    def of(cls, text: str) -> Said:
        """It as it is, or a text that has no code."""
        return text if isinstance(text, Said) else cls(text)

    @classmethod
    def by(cls, code: str, sentence: str, /, **params: object) -> Said:
        """The sentence filled with its parameters."""
        words = {name: str(value) for name, value in params.items()}
        return cls(sentence.format(**words), code, words)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields = {
            "message": core_schema.typed_dict_field(core_schema.str_schema()),
            "code": core_schema.typed_dict_field(core_schema.str_schema(), required=False),
            "params": core_schema.typed_dict_field(_PARAMS.core_schema, required=False),
        }
        written = core_schema.typed_dict_schema(fields, extra_behavior="ignore")
        either = core_schema.union_schema([core_schema.str_schema(), written], mode="left_to_right")
        return core_schema.no_info_wrap_validator_function(
            _read,
            either,
            serialization=core_schema.plain_serializer_function_ser_schema(
                _write, when_used="json"
            ),
        )


def _read(value: Any, check: core_schema.ValidatorFunctionWrapHandler) -> Said:
    if isinstance(value, Said):
        return value
    known = check(value)
    return Said.of(known) if isinstance(known, str) else Said(**known)


def _write(text: str) -> dict[str, Any]:
    said = Said.of(text)
    params = {name: printable(value) for name, value in said.params.items()}
    return {"code": said.code, "params": params, "message": printable(said)}
