"""``python -m tests.agent.notice_seen [click]``, within a desktop: what is seen of the notice, as JSON."""

from __future__ import annotations

import json
import sys

from Xlib import X, display, error
from Xlib.ext import xtest

NAME = "Moonlight HPC: time left"


def main(click: bool) -> None:
    x = display.Display()
    try:
        look(x, click)
    except (error.BadWindow, error.BadDrawable, error.BadMatch):  # it went between two questions
        look(x, click)


def look(x: display.Display, click: bool) -> None:
    windows = x.screen().root.query_tree().children
    found = [w for w in windows if w.get_wm_name() == NAME]
    if not found:
        print(json.dumps({"there": False}))
        return
    window = found[0]
    place = window.get_geometry()
    if click:
        xtest.fake_input(x, X.MotionNotify, x=place.x + 9, y=place.y + 9)
        xtest.fake_input(x, X.ButtonPress, 1)
        xtest.fake_input(x, X.ButtonRelease, 1)
        x.sync()
        print(json.dumps({"there": True}))
        return
    image = window.get_image(0, 0, place.width, place.height, X.ZPixmap, 0xFFFFFF)
    pixels = {int.from_bytes(image.data[i : i + 3], "little") for i in range(0, len(image.data), 4)}
    focus = x.get_input_focus().focus
    mapped = [w for w in windows if w.get_attributes().map_state == X.IsViewable]
    print(
        json.dumps(
            {
                "there": True,
                "colours": sorted(pixels),
                "above": mapped[-1].id == window.id,
                "focus": getattr(focus, "id", focus) == window.id,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:] == ["click"])
