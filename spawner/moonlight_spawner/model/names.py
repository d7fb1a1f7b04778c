"""The name that a user gives a desktop: his own words, shown on pages, in terminals and to admins."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

#: Signs; as many as a card has room for.
MOST_SIGNS = 60

# What joins letters in Persian and Indic scripts, and the parts of an emoji. All other signs without a
# look of their own, such as those that turn the direction of a line (Cf), make a name read as another.
_JOINERS = "\u200c\u200d"
_NO_SIGNS = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
# Letters by their category that leave nothing to be seen: Hangul's fillers, Braille's empty pattern.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"


def session_name(text: str, most: int = MOST_SIGNS) -> str:
    """``text`` as a desktop's name: in one form (NFC), no blanks around it; empty for none.

    Raises
    ------
    ValueError
        With what is wrong with it, as the end of a sentence.
    """
    if len(text) > 4 * most:  # no work for what nobody means
        raise ValueError(f"must have {most} characters at most")
    odd = [c for c in text if c not in _JOINERS and unicodedata.category(c) in _NO_SIGNS]
    if odd:
        what = (
            f"no control characters and none that turn the text's direction (U+{ord(odd[0]):04X})"
        )
        raise ValueError(f"must have {what}")
    name = unicodedata.normalize("NFC", text).strip()
    if len(name) > most:
        raise ValueError(f"must have {most} characters at most")
    if name and not any(unicodedata.category(c)[0] in "LNPS" and c not in _BLANK for c in name):
        raise ValueError("must have a character that can be seen")
    return name


#: A name in a record, which may be somebody's who wants it to be another.
SessionName = Annotated[str, AfterValidator(session_name)]
