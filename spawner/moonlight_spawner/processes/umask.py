"""Our own files are private, whatever the user's umask; what he makes himself has the mode he wants."""

from __future__ import annotations

import os

_PRIVATE = 0o077
_theirs: int | None = None


def keep_private() -> None:
    """Make what this process and its children make private; remember what the umask was."""
    global _theirs
    before = os.umask(_PRIVATE)
    if _theirs is None:
        _theirs = before


def of_the_user() -> int:
    """The umask with which we were started, for the user's own programs.

    One that takes files from their owner himself would break what he starts: ours in its place.
    """
    return _PRIVATE if _theirs is None or _theirs & 0o700 else _theirs
