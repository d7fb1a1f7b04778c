"""Sentences for the user that a page may say in another language.

A sentence is English text everywhere: in logs, in terminals, in comparisons. It carries a code and
parameters besides, as errors do, and only who writes JSON or words a page looks at these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from .texts import Words, printable

#: What a sentence speaks of, by name. In records that a service reads for many users.
Params = Annotated[dict[str, Words], Field(max_length=16)]


class Said(str):
    """A sentence by its code; ``{name}`` in it stands for a parameter.

    >>> said = Said.by("Silent", "The desktop is silent: {why}.", why="no sound card")
    >>> said, said.code, said.params
    ('The desktop is silent: no sound card.', 'Silent', {'why': 'no sound card'})

    In JSON it is the text alone, which versions without codes read as well; who keeps its code writes that
    beside it (:class:`Coded`).
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
        return core_schema.no_info_wrap_validator_function(
            _read,
            core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(
                printable, return_schema=core_schema.str_schema(), when_used="json"
            ),
        )


class Coded(BaseModel):
    """What a page words a sentence by: its code, and what it speaks of."""

    model_config = ConfigDict(extra="ignore")

    code: str = ""
    params: Params = Field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Coded:
        said = Said.of(text)
        return cls(code=said.code, params={k: printable(v) for k, v in said.params.items()})


def _read(value: Any, check: core_schema.ValidatorFunctionWrapHandler) -> Said:
    return value if isinstance(value, Said) else Said(check(value))
