"""Text for a terminal of any charset: EUC-KR and Latin-1 as well, and none at all (C)."""

from __future__ import annotations

import codecs
import io
import locale
import os
import site
import sys
from pathlib import Path

from ..site.machine import python

_PLAIN = {
    "✓": "+",
    "✗": "x",
    "→": "->",
    "…": "...",
    "·": "-",
    "“": '"',
    "”": '"',
    "–": "-",
    "’": "'",
}
_ERRORS = "moonlight-plain"


def prepare() -> None:
    """Make this program's output fit for its terminal, its files and names UTF-8, its modules its own.

    Python reads files and names in the charset of the terminal, and takes modules from wherever the
    user's or a module's PYTHONPATH says. Records are UTF-8 on every machine, and another pydantic
    is the end of every command, so the program is begun again where one of them would count.
    """
    by_charset = codecs.lookup(sys.getfilesystemencoding()).name != "utf-8"
    command = python("moonlight_spawner")
    isolated = "-I" in command or "-E" in command
    if (by_charset and not sys.flags.utf8_mode) or (isolated and _others_modules()):
        sys.stdout.flush()
        # As bytes from the kernel: Python's own copy may not go back to what was typed.
        typed = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:-1]
        argv = [os.fsencode(word) for word in command] + typed[len(typed) - len(sys.argv) + 1 :]
        os.execv(argv[0], argv)
    fit()


def _others_modules() -> bool:
    """Whether modules may come from elsewhere than this installation."""
    if sys.flags.isolated or sys.flags.ignore_environment:
        return False
    by_user = bool(site.ENABLE_USER_SITE) and os.path.isdir(site.getusersitepackages())
    return bool(os.environ.get("PYTHONPATH")) or by_user


def fit() -> None:
    """No sign ends the program: what the terminal's charset lacks is written in others."""
    codecs.register_error(_ERRORS, _in_plain_signs)
    # Named by the user it holds; in UTF-8 mode the streams are UTF-8, whatever the terminal is.
    charset = None
    if sys.flags.utf8_mode and not os.environ.get("PYTHONIOENCODING"):
        charset = _charset_of_terminal()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=charset, errors=_ERRORS)


def _charset_of_terminal() -> str | None:
    """None for the one that the streams have."""
    try:
        name = codecs.lookup(locale.nl_langinfo(locale.CODESET)).name
    except LookupError:  # one that Python does not know
        return "ascii"
    # Python takes C for UTF-8, as all terminals are by now.
    return None if name == "ascii" else name


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign, "?") for sign in text), error.end
