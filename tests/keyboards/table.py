"""The tables of docs/keyboards.md: what was measured, as it is written there."""

from __future__ import annotations

import re
from pathlib import Path

from .layouts import Stroke, strokes

PAGE = Path(__file__).parents[2] / "docs" / "keyboards.md"
_PLACE = re.compile(r"(<!-- measured: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
#: Keys that Sunshine has no code for (docs/sunshine.md).
UNKNOWN_TO_SUNSHINE = ("IntlBackslash", "IntlRo", "IntlYen")
_EVERYTHING = "all"


def lost_with_sunshine(layout: str) -> str:
    """The symbols that only keys have which it does not know."""
    plain = [stroke for stroke in strokes(layout) if not stroke.after]
    known = {s.text for s in plain if s.code not in UNKNOWN_TO_SUNSHINE}
    return "".join(dict.fromkeys(s.text for s in plain if s.text not in known))


def layout_row(layout: str, selkies: list[str], sunshine: list[str]) -> str:
    """``selkies`` and ``sunshine``: what arrived as something else, ``é → e``."""
    all_of_it = strokes(layout)
    dead = sum(1 for stroke in all_of_it if stroke.after)
    extra = "".join(s.text for s in all_of_it if s.code == "IntlBackslash")
    lost = lost_with_sunshine(layout)
    words = [f"all but {_code(lost)}"] if lost else [_EVERYTHING]
    cells = [
        _code(layout),
        str(len(all_of_it) - dead),
        str(dead) if dead else "–",
        _code(extra) if extra else "–",
        ", ".join(map(_code, selkies)) or _EVERYTHING,
        ", ".join([*words, *map(_code, sunshine)]),
    ]
    return _row(cells)


def key_row(name: str, arrives: str) -> str:
    return _row([name, arrives])


def wrong(wanted: list[Stroke], came: list[str]) -> list[str]:
    """What did not arrive as what it is, each once."""
    if len(wanted) != len(came):
        return [f"{''.join(s.text for s in wanted)} → {''.join(came)}"]
    return list(
        dict.fromkeys(f"{w.text} → {c}" for w, c in zip(wanted, came, strict=True) if w.text != c)
    )


def rows(part: str) -> list[str]:
    """What the page has."""
    [found] = [body for _, name, body, _ in _PLACE.findall(PAGE.read_text()) if name == part]
    return [line for line in found.splitlines() if line.startswith("| ")][1:]


def write(part: str, new: list[str]) -> None:
    """Exchange the rows of a table, and leave its head."""

    def exchanged(match: re.Match[str]) -> str:
        begin, name, body, end = match.groups()
        head = [line for line in body.splitlines() if line.startswith("|")][:2]
        return "\n".join(
            [begin.rstrip(), *(head + new if name == part else body.splitlines()), end]
        )

    PAGE.write_text(_PLACE.sub(exchanged, PAGE.read_text()))


def _code(text: str) -> str:
    quoted = f"`` {text} ``" if "`" in text else f"`{text}`"
    return quoted.replace("|", "\\|")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
