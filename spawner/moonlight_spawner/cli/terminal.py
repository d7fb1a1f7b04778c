"""Text for a terminal of any charset: EUC-KR and Latin-1 as well, and none at all (C)."""

from __future__ import annotations

import codecs
import io
import locale
import os
import sys
from pathlib import Path

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
    """Make this program's output fit for its terminal, and its files and names UTF-8.

    Python reads files and names in the charset of the terminal. Records are UTF-8 on every machine,
    so with another charset the program is begun again in Python's UTF-8 mode (PEP 540).
    """
    if codecs.lookup(sys.getfilesystemencoding()).name != "utf-8" and not sys.flags.utf8_mode:
        sys.stdout.flush()
        # As bytes from the kernel: Python's own copy may not go back to what was typed.
        typed = Path("/proc/self/cmdline").read_bytes().split(b"\0")[1:-1]
        argv = [os.fsencode(sys.executable), b"-X", b"utf8", *typed]
        os.execv(argv[0], argv)
    fit()


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
