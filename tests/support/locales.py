"""Locales of other charsets, made for the tests: a machine seldom has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

CHARSETS = {
    "ko_KR.EUC-KR": ("ko_KR", "EUC-KR"),
    "ja_JP.EUC-JP": ("ja_JP", "EUC-JP"),
    "en_US.ISO-8859-1": ("en_US", "ISO-8859-1"),
}


def make_locales(directory: Path) -> dict[str, str]:
    """Variables by which programs find them in ``directory`` (locale(7), LOCPATH)."""
    for name, (source, charset) in CHARSETS.items():
        argv = ["localedef", "-i", source, "-f", charset, str(directory / name)]
        # It warns of what nobody needs and exits 1 then (localedef(1)); what counts is the result.
        subprocess.run(argv, check=False, capture_output=True)
        assert (directory / name / "LC_CTYPE").exists(), f"package locales: {' '.join(argv)}"
    return {"LOCPATH": str(directory)}
