"""Which sessions of a list are wanted: filters and a page, as they stand in the query."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from moonlight_spawner.model.errors import FieldError, InvalidRequest, shorten
from moonlight_spawner.model.session import Session, State
from moonlight_spawner.site.request import DOOR, IMAGE_ID

MOST = 1000
MOST_OFFSET = 10**6
MOST_VALUES = 16
_STATES = tuple(state.value for state in State)

PARAMETERS = ("state", "image", "door", "live", "limit", "offset")


@dataclass(frozen=True)
class Page:
    """``total``: of all that were wanted. ``next``: the offset of the page after this one."""

    sessions: list[Session]
    total: int
    next: int | None


@dataclass(frozen=True)
class Listing:
    """What is wanted; an empty filter wants all. Of several values of one, any will do."""

    state: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    door: tuple[str, ...] = ()
    live: bool | None = None
    limit: int | None = None
    offset: int = 0

    @classmethod
    def read(cls, query: Mapping[str, Sequence[str]], limit: int | None = None) -> Listing:
        """As the query says; ``limit`` counts where it names none.

        Raises
        ------
        InvalidRequest
            Naming every wrong parameter.
        """
        found: dict[str, Any] = {"limit": limit}
        errors = []
        for name, read in _READ.items():
            if values := query.get(name):
                try:
                    found[name] = read(values)
                except ValueError as e:
                    told = shorten(" ".join(values))
                    errors.append(FieldError(name, told, f"{name} is {told!r}, but {e}."))
        if errors:
            raise InvalidRequest(errors)
        return cls(**found)

    def page(self, sessions: Sequence[Session]) -> Page:
        """Of these, in their order."""
        wanted = [session for session in sessions if self._wants(session)]
        end = len(wanted) if self.limit is None else self.offset + self.limit
        following = end if end < len(wanted) else None
        return Page(wanted[self.offset : end], len(wanted), following)

    def query(self, offset: int, **more: str) -> str:
        """The query of the page that begins there, with what else it has to say."""
        pairs = [(name, value) for name in ("state", "image", "door") for value in self._of(name)]
        if self.live is not None:
            pairs.append(("live", str(self.live).lower()))
        pairs += [("limit", str(self.limit)), ("offset", str(offset)), *more.items()]
        return urlencode(pairs)

    def _wants(self, session: Session) -> bool:
        return (
            (not self.state or session.status.value in self.state)
            and (not self.image or session.image_id in self.image)
            and (not self.door or session.door in self.door)
            and (self.live is None or session.live is self.live)
        )

    def _of(self, name: str) -> tuple[str, ...]:
        values: tuple[str, ...] = getattr(self, name)
        return values


def _words(pattern: re.Pattern[str], allowed: str) -> Callable[[Sequence[str]], tuple[str, ...]]:
    def read(values: Sequence[str]) -> tuple[str, ...]:
        if len(values) > MOST_VALUES:
            raise ValueError(f"only {MOST_VALUES} values of it are taken")
        if not all(pattern.fullmatch(value) for value in values):
            raise ValueError(f"must be {allowed}")
        return tuple(values)

    return read


def _flag(values: Sequence[str]) -> bool:
    if list(values) not in (["true"], ["false"]):
        raise ValueError("must be true or false")
    return values[0] == "true"


def _number(least: int, most: int) -> Callable[[Sequence[str]], int]:
    def read(values: Sequence[str]) -> int:
        text = values[0]
        good = len(values) == 1 and re.fullmatch("[0-9]{1,8}", text, re.ASCII)
        if not good or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


_READ: dict[str, Callable[[Sequence[str]], Any]] = {
    "state": _words(re.compile("|".join(_STATES)), f"one of {', '.join(_STATES)}"),
    "image": _words(IMAGE_ID, "the id of an image"),
    "door": _words(DOOR, "the word of a door"),
    "live": _flag,
    "limit": _number(1, MOST),
    "offset": _number(0, MOST_OFFSET),
}
