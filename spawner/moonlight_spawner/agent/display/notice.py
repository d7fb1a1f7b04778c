"""A sentence on the desktop itself that its time is nearly up.

A window of our own, because no desktop can be relied on to show a notification: it lies above the
others, never has the keyboard, and goes at a click or by itself. The sentences are pictures (made by
``tools/draw_notices.py``), because an X server brings no Korean letters.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from Xlib import X
from Xlib.display import Display
from Xlib.xobject.drawable import Window

from ...relay.languages import of_locale
from .screen import Screen
from .xclient import FAILURES, connection

log = logging.getLogger(__name__)

NAME = "Moonlight HPC: time left"
_SECONDS = 50.0
_TICK_SECONDS = 0.2
_PICTURES = Path(__file__).parent / "notices"
_BACKGROUND, _LETTERS, _EDGE = 0x10131F, 0xFFFFFF, 0xFFB454
_SHARP_WIDTH = 2560  # pixels of a screen on which letters of the usual size are too small


def language_of(env: Mapping[str, str]) -> str:
    """As the desktop's locale says (locale(7))."""
    said = next((env[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if env.get(name)), "")
    return of_locale(said)


class Notice:
    """One such window, for the session's X server."""

    def __init__(self, screen: Screen, language: str, minutes: int):
        self._screen = screen
        self._picture = _PICTURES / f"{language}-{minutes}.pbm"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, name="notice", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()

    def _show(self) -> None:
        try:
            with connection(self._screen) as x:
                self._stay(x)
        except FAILURES as e:  # X has ended, or will not have it: the page says it too
            log.info("the desktop is not told how much time is left: %s", e)

    def _stay(self, x: Display) -> None:
        width, height, rows = _read(self._picture)
        screen = x.screen()
        if screen.root.get_geometry().width >= _SHARP_WIDTH:
            width, height, rows = 2 * width, 2 * height, _doubled(rows)
        window = screen.root.create_window(
            max(0, (screen.root.get_geometry().width - width) // 2),
            height,
            *(width, height, 2, screen.root_depth),
            background_pixel=_BACKGROUND,
            border_pixel=_EDGE,
            override_redirect=True,
            event_mask=X.ExposureMask | X.ButtonPressMask | X.VisibilityChangeMask,
        )
        window.set_wm_name(NAME)
        window.map()
        data = _for_server(rows, x.display.info.bitmap_format_bit_order == X.LSBFirst)
        until = time.monotonic() + _SECONDS
        hidden = False
        while time.monotonic() < until and not self._over.is_set():
            if not x.pending_events():
                select.select([x.fileno()], [], [], _TICK_SECONDS)
            while x.pending_events():
                event = x.next_event()
                if event.type == X.ButtonPress:
                    return
                if event.type == X.Expose:
                    _draw(window, width, height, data)
                elif event.type == X.VisibilityNotify:
                    hidden = event.state != X.VisibilityUnobscured
            if hidden:  # once a tick: another window may think the same of itself
                window.configure(stack_mode=X.Above)
                hidden = False
            x.flush()


def _draw(window: Window, width: int, height: int, data: bytes) -> None:
    pen = window.create_gc(foreground=_LETTERS, background=_BACKGROUND)
    window.put_image(pen, 0, 0, width, height, X.XYBitmap, 1, 0, data)
    pen.free()


def _read(path: Path) -> tuple[int, int, list[str]]:
    """Width, height and the rows of a picture as ones and zeros (pbm(5), P4)."""
    _, size, bits = path.read_bytes().split(b"\n", 2)
    width, height = map(int, size.split())
    length = (width + 7) // 8
    rows = [bits[y * length : (y + 1) * length] for y in range(height)]
    turned = str.maketrans("01", "10")  # there 1 is black, which is what was not drawn
    words = ["".join(f"{byte:08b}" for byte in row)[:width].translate(turned) for row in rows]
    return width, height, words


def _doubled(rows: list[str]) -> list[str]:
    return [wide for row in rows for wide in ["".join(bit * 2 for bit in row)] * 2]


def _for_server(rows: list[str], lowest_first: bool) -> bytes:
    """A bitmap as PutImage wants it: rows of whole 32 bits, in the server's order of bits."""
    data = bytearray()
    for row in rows:
        padded = row + "0" * (-len(row) % 32)
        for i in range(0, len(padded), 8):
            bits = padded[i : i + 8]
            data.append(int(bits[::-1] if lowest_first else bits, 2))
    return bytes(data)
