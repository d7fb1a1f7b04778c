"""Puts the page's sentences for the server's codes into `ood_app/words/`, whose cards say them, too.

Run by hand when one of them changes: `python tools/card_words.py`. What else is in those files is
written by hand.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "jupyter_extension" / "ui" / "src" / "i18n" / "languages"
CARD = ROOT / "ood_app" / "words"
_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_BLOCK = re.compile(r"^export const \w+: Reasons = \{$(.*?)^\};$", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(rf"^  (\w+):\s+((?:(?:{_TEXT})(?:\s*\+\s*)?)+),$", re.MULTILINE)


def said(language: str) -> dict[str, str]:
    """What the page says in a language by the server's codes."""
    found: dict[str, str] = {}
    for path in sorted((PAGE / language).glob("*.ts")):
        for block in _BLOCK.findall(path.read_text("utf-8")):
            for code, text in _ENTRY.findall(block):
                found[code] = "".join(ast.literal_eval(part) for part in re.findall(_TEXT, text))
    return found


def filled(path: Path) -> str:
    """The file as it should be."""
    read: dict[str, Any] = json.loads(path.read_text("utf-8"))
    whole = {"words": read["words"], "said": dict(sorted(said(path.stem).items()))}
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    for one in sorted(CARD.glob("*.json")):
        one.write_text(filled(one), "utf-8")
