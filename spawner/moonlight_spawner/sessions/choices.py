"""A user's choices in a file of his own, beside his sessions' records: :mod:`..site.choices`.

What is kept is named by what is in it, so that whoever changes it says what he has seen: of two pages that
change it at once one is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from pathlib import Path

from pydantic import ValidationError

from ..model.errors import ChoicesChanged, ChoicesUnavailable, NotFound
from ..model.files import read_shared, write_private
from ..site.choices import MOST_BYTES, Choices, KeptChoices
from ..store import FileStore

_NAME = "choices.json"
_NONE = KeptChoices(revision="", choices=Choices())


async def kept(store: FileStore, user: str) -> KeptChoices:
    """
    Raises
    ------
    ChoicesUnavailable, UnsafeDirectory
    """
    _check(store, user)
    try:
        return await asyncio.to_thread(lambda: _read(store.root / _NAME))
    except OSError as e:
        raise _unavailable(store, e, "read") from e


async def keep(store: FileStore, user: str, revision: str, choices: Choices) -> KeptChoices:
    """Keep ``choices`` in the place of those of ``revision``. A file that cannot be read is kept beside them.

    Raises
    ------
    ChoicesChanged
        Those are not kept any more.
    ChoicesUnavailable, UnsafeDirectory
        What was kept still is.
    """
    _check(store, user)
    try:
        async with store.exclusively(user):
            return await asyncio.to_thread(_replace, store.root / _NAME, revision, choices)
    except OSError as e:
        raise _unavailable(store, e, "written") from e


def _check(store: FileStore, user: str) -> None:
    if user != store.user:
        raise NotFound(f"The choices that are kept here are those of {store.user}.")


def _read(path: Path) -> KeptChoices:
    data = read_shared(path, MOST_BYTES + 1)
    if data is None:
        return _NONE
    revision = _revision(data)
    # What it is made of is checked, and by JSON that goes too deep it is not led astray.
    with contextlib.suppress(ValidationError):
        if len(data) <= MOST_BYTES:
            return KeptChoices(revision=revision, choices=Choices.model_validate_json(data))
    return KeptChoices(revision=revision, choices=Choices(), damaged=str(path))


def _replace(path: Path, revision: str, choices: Choices) -> KeptChoices:
    before = _read(path)
    if before.revision != revision:
        raise ChoicesChanged(before.model_dump(mode="json"))
    aside = None
    if before.damaged:
        aside = path.with_name(f"choices.damaged-{revision[:8]}.json")
        with contextlib.suppress(FileExistsError):  # this very damage has been met before
            os.link(path, aside, follow_symlinks=False)
    data = choices.model_dump_json().encode()
    write_private(path, data)
    return KeptChoices(
        revision=_revision(data), choices=choices, damaged=None if aside is None else str(aside)
    )


def _revision(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _unavailable(store: FileStore, error: OSError, what: str) -> ChoicesUnavailable:
    why = error.strerror or type(error).__name__
    return ChoicesUnavailable(f"{store.root / _NAME}, with your choices, cannot be {what}: {why}.")
