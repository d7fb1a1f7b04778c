"""Draws the sentences that a desktop shows before it ends: `agent/display/notices/LANGUAGE-MINUTES.pbm`.

An X server brings no letters that one could rely on, and none of Korean. Run by hand when a sentence
changes: `.venv/bin/python tools/draw_notices.py FONT.ttf`, with a font that has Hangul.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

OUT = Path(__file__).parents[1] / "spawner/moonlight_spawner/agent/display/notices"
SENTENCES = {
    "en": "This desktop ends within {n} minutes. Save your work.",
    "ko": "이 데스크톱은 {n}분 안에 종료됩니다. 작업을 저장하세요.",
}
PIXELS, MARGIN = 20, 14


def draw(sentence: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    left, top, right, bottom = font.getbbox(sentence)
    size = (int(right - left) + 2 * MARGIN, int(bottom - top) + 2 * MARGIN)
    picture = Image.new("1", size)
    pen = ImageDraw.Draw(picture)
    pen.fontmode = "1"
    pen.text((MARGIN - left, MARGIN - top), sentence, font=font, fill=1)
    return picture


def main(path: str) -> None:
    font = ImageFont.truetype(path, PIXELS)
    for language, sentence in SENTENCES.items():
        for minutes in (10, 5, 1):
            words = sentence.format(n=minutes)
            if minutes == 1:
                words = words.replace("1 minutes", "one minute")
            draw(words, font).save(OUT / f"{language}-{minutes}.pbm")


if __name__ == "__main__":
    main(sys.argv[1])
