"""Answers are held against the OpenAPI document that the same server serves."""

from __future__ import annotations

import copy
import re
from typing import Any

from jsonschema import Draft202012Validator

from .raw import Answer


class Described:
    """A served OpenAPI document, made strict: a field that it does not name is an error."""

    def __init__(self, document: dict[str, Any]):
        self.document = document
        self._components = copy.deepcopy(document["components"])
        for schema in self._components["schemas"].values():
            _close(schema)

    @property
    def routes(self) -> set[tuple[str, str]]:
        """Method and path of all calls."""
        methods = {"get", "put", "post", "delete", "patch", "head", "options"}
        return {
            (method.upper(), path)
            for path, calls in self.document["paths"].items()
            for method in calls
            if method in methods
        }

    def fields(self, schema: str) -> set[str]:
        return set(self.document["components"]["schemas"][schema]["properties"])

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Fail unless the document allows this answer to this call."""
        responses = self._call(method, path)["responses"]
        response = responses.get(str(answer.status))
        if response is None:
            assert answer.status >= 400, f"{method} {path} gave {answer.status}: not described"
            response = responses["default"]
        kind = answer.header("content-type").partition(";")[0]
        schema = {**response["content"][kind]["schema"], "components": self._components}
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        validator.validate(answer.json)

    def _call(self, method: str, path: str) -> dict[str, Any]:
        for template, calls in self.document["paths"].items():
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                call: dict[str, Any] = calls[method.lower()]
                return call
        raise AssertionError(f"{path} is not described")


def _close(schema: Any) -> None:
    if isinstance(schema, list):
        for part in schema:
            _close(part)
    elif isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for part in schema.values():
            _close(part)
