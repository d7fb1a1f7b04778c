"""What Apptainer says: all of it on stderr, and in colours where that is a terminal."""

from __future__ import annotations

import os
import sys

_COLOURS = {"INFO": 34, "WARNING": 33, "FATAL": 31}
_always = False


def in_colours(always: bool) -> None:
    """As an image's description wants it: what takes a log for a terminal is hard to come by."""
    global _always
    _always = always


def say(level: str, text: str) -> None:
    begin, end = "", ""
    if _always or os.isatty(2):
        begin, end = f"\x1b[{_COLOURS[level]}m", "\x1b[0m"
    sys.stderr.write(f"{begin}{level + ':':8}{end} {text}\n")
    sys.stderr.flush()


def info(text: str) -> None:
    say("INFO", text)


def warn(text: str) -> None:
    say("WARNING", text)
