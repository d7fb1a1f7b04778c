"""What is shown while something is measured, by a process of its own:
``python -m moonlight_spawner.agent.measure.pattern motion|click``, with the display on standard input.

``motion`` redraws the whole screen 60 times a second: a colourful picture that moves, and on top
of it the frame's number. ``click`` fills the screen with black or white and changes to the other
one at every press of a mouse button.

The number is shown as 16 blocks, black or white, in Gray code: two frames that follow each other
differ in one block, so a torn picture is never wrong by more than one frame.
"""

from __future__ import annotations

import contextlib
import json
import math
import select
import sys
import time
from typing import Any

from Xlib import X

from ..display.screen import Screen
from ..display.xclient import FAILURES, connection

#: What it prints once it is there.
SHOWN = "shown"
HERTZ = 60
BLOCK = 32
BITS = 16
_STEP = 12  # pixels that the picture moves per frame
_REQUEST_BYTES = 1 << 17  # put_image: an X request has at most 256 KiB


class Pattern:
    """A window over the whole screen, above everything and known to no window manager."""

    def __init__(self, display: Any):
        self.display = display
        screen = display.screen()
        size = screen.root.get_geometry()
        self.width, self.height = size.width, size.height
        self.black, self.white = screen.black_pixel, screen.white_pixel
        self.depth = screen.root_depth
        self.window = screen.root.create_window(
            0,
            0,
            self.width,
            self.height,
            0,
            self.depth,
            override_redirect=True,
            background_pixel=self.black,
            event_mask=X.ButtonPressMask,
        )
        self.window.map()
        self.window.raise_window()
        self.display.sync()

    def show(self, mode: str) -> None:
        """Until it is ended."""
        self.click() if mode == "click" else self.motion()

    def motion(self) -> None:
        picture = self._picture()
        black = self.window.create_gc(foreground=self.black)
        white = self.window.create_gc(foreground=self.white)
        print(SHOWN, flush=True)
        due, number = time.monotonic(), 0
        while True:
            gray = number ^ (number >> 1)
            blocks: tuple[list[tuple[int, int, int, int]], ...] = ([], [])
            for bit in range(BITS):
                blocks[gray >> bit & 1].append((bit * BLOCK, 0, BLOCK, BLOCK))
            offset = number * _STEP % self.width
            for source, target in ((offset, 0), (0, self.width - offset)):
                width = self.width - max(source, target)
                self.window.copy_area(black, picture, source, 0, width, self.height, target, 0)
            for gc, rectangles in zip((black, white), blocks, strict=True):
                self.window.poly_fill_rectangle(gc, rectangles)
            self.display.flush()
            number = (number + 1) % (1 << BITS)
            due += 1 / HERTZ
            time.sleep(max(0.0, due - time.monotonic()))

    def click(self) -> None:
        gcs = [self.window.create_gc(foreground=pixel) for pixel in (self.black, self.white)]
        self.display.sync()
        print(SHOWN, flush=True)
        shown = 0
        while True:
            select.select([self.display], [], [])
            while self.display.pending_events():
                if self.display.next_event().type == X.ButtonPress:
                    shown = 1 - shown
                    self.window.fill_rectangle(gcs[shown], 0, 0, self.width, self.height)
                    self.display.flush()

    def _picture(self) -> object:
        """Waves of colour that repeat at the screen's edge; kept by the X server."""
        pixmap = self.window.create_pixmap(self.width, self.height, self.depth)
        gc = self.window.create_gc()
        wave = bytes(
            int(127.5 + 127.5 * math.sin(2 * math.pi * x * 3 / self.width))
            for x in range(self.width)
        )
        at_once = max(1, _REQUEST_BYTES // (4 * self.width))
        for top in range(0, self.height, at_once):
            rows = [self._row(wave, y) for y in range(top, min(top + at_once, self.height))]
            data = b"".join(rows)
            pixmap.put_image(gc, 0, top, self.width, len(rows), X.ZPixmap, self.depth, 0, data)
        self.display.sync()
        return pixmap

    def _row(self, wave: bytes, y: int) -> bytes:
        row = bytearray(4 * self.width)
        for channel, slope in enumerate((1, -2, 3)):
            shift = y * slope % self.width
            row[channel::4] = wave[shift:] + wave[:shift]
        return bytes(row)


def told(screen: Screen) -> bytes:
    """What says which display it is: a cookie is in no argument list."""
    where = {"display": screen.display, "pid": screen.pid, "cookie": screen.cookie.hex()}
    return json.dumps(where).encode() + b"\n"


def main(mode: str) -> None:
    where = json.loads(sys.stdin.readline())
    screen = Screen(where["display"], where["pid"], bytes.fromhex(where["cookie"]))
    with contextlib.suppress(KeyboardInterrupt, *FAILURES), connection(screen) as display:
        Pattern(display).show(mode)


if __name__ == "__main__":
    main(sys.argv[1])
