"""The service's log: what others say in it makes no line of its own.

Much that is logged repeats somebody's words: a side's error, a request's path, an exception's text. A
line end in them would begin a line that reads like one of ours, such as one of who did what.
"""

from __future__ import annotations

import logging

_FORM = "%(levelname)s %(name)s: %(message)s"


class Lines(logging.Formatter):
    """One record is one line, and lines below it (a traceback's) are indented."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n    ".join(_printable(line) for line in super().format(record).split("\n"))


def begin_log() -> None:
    """Log to standard error from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(_FORM))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _printable(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        sign if sign.isprintable() or sign == "\t" else sign.encode("unicode_escape").decode()
        for sign in line
    )


__all__ = ["Lines", "begin_log"]
