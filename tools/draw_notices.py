"""Draws the sentences that a desktop shows before it ends: `agent/display/notices/LANGUAGE-MINUTES.pbm`
and `LANGUAGE-idle.pbm`; with `digits.pbm`, of which one that counts down makes its clock.

An X server brings no letters that one could rely on, and none of Korean. Run by hand when a sentence
changes: `.venv/bin/python tools/draw_notices.py FONT.ttf`, with a font that has the letters of
all `relay/words/`.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from moonlight_spawner.agent.deadline import WARN_MINUTES
from moonlight_spawner.agent.display.notice import DIGITS
from moonlight_spawner.relay.languages import languages, words
from PIL import Image, ImageDraw, ImageFont

OUT = Path(__file__).parents[1] / "spawner/moonlight_spawner/agent/display/notices"
PIXELS, MARGIN = 20, 14


def draw(sentence: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    left, top, right, bottom = font.getbbox(sentence)
    size = (int(right - left) + 2 * MARGIN, int(bottom - top) + 2 * MARGIN)
    picture = Image.new("1", size)
    pen = ImageDraw.Draw(picture)
    pen.fontmode = "1"
    pen.text((MARGIN - left, MARGIN - top), sentence, font=font, fill=1)
    return picture


def draw_digits(font: ImageFont.FreeTypeFont) -> Image.Image:
    """All of :data:`DIGITS` side by side, each in the middle of as much room as the others."""
    room = max(math.ceil(font.getlength(digit)) for digit in DIGITS)
    picture = Image.new("1", (room * len(DIGITS), PIXELS + MARGIN))
    pen = ImageDraw.Draw(picture)
    pen.fontmode = "1"
    for at, digit in enumerate(DIGITS):
        left = at * room + (room - font.getlength(digit)) / 2
        pen.text((left, 0), digit, font=font, fill=1)
    return picture


def main(path: str) -> None:
    font = ImageFont.truetype(path, PIXELS)
    for language in languages():
        said = words(language)["notice"]
        for minutes in WARN_MINUTES:
            sentence = said["minute" if minutes == 1 else "minutes"].format(n=minutes)
            draw(sentence, font).save(OUT / f"{language}-{minutes}.pbm")
        draw(said["idle"], font).save(OUT / f"{language}-idle.pbm")
    draw_digits(font).save(OUT / "digits.pbm")


if __name__ == "__main__":
    main(sys.argv[1])
