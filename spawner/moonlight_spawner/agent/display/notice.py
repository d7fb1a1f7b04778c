"""A sentence on the desktop itself that its time is nearly up, or that nobody seems to use it.

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
from dataclasses import dataclass
from pathlib import Path

from Xlib import X
from Xlib.display import Display
from Xlib.xobject.drawable import Window

from ...relay.languages import of_locale
from .screen import Screen
from .xclient import FAILURES, connection

log = logging.getLogger(__name__)

NAME = "Moonlight HPC: time left"
DIGITS = "0123456789:"
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

    def __init__(self, screen: Screen, sentence: str, seconds: float, counts: bool = False):
        self._screen = screen
        self._picture = _PICTURES / f"{sentence}.pbm"
        self._until = time.monotonic() + seconds
        self._counts = counts
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, name="notice", daemon=True)
        self._thread.start()

    @classmethod
    def time(cls, screen: Screen, language: str, minutes: int) -> Notice:
        """That it ends within ``minutes``."""
        return cls(screen, f"{language}-{minutes}", _SECONDS)

    @classmethod
    def idle(cls, screen: Screen, language: str, seconds: float) -> Notice:
        """That it ends in ``seconds`` if nobody uses it; counts down as long as it is there."""
        return cls(screen, f"{language}-idle", seconds, counts=True)

    def close(self) -> None:
        self._over.set()

    def _show(self) -> None:
        try:
            with connection(self._screen) as x:
                self._stay(x)
        except FAILURES as e:  # X has ended, or will not have it: the page says it too
            log.info("the desktop is not told how much time is left: %s", e)

    def _stay(self, x: Display) -> None:
        screen = x.screen()
        times = 2 if screen.root.get_geometry().width >= _SHARP_WIDTH else 1
        sentence = _read(self._picture).times(times)
        digits = _read(_PICTURES / "digits.pbm").times(times) if self._counts else None
        width, height = sentence.width, sentence.height + (digits.height if digits else 0)
        window = screen.root.create_window(
            max(0, (screen.root.get_geometry().width - width) // 2),
            sentence.height,
            *(width, height, 2, screen.root_depth),
            background_pixel=_BACKGROUND,
            border_pixel=_EDGE,
            override_redirect=True,
            event_mask=X.ExposureMask | X.ButtonPressMask | X.VisibilityChangeMask,
        )
        window.set_wm_name(NAME)
        window.map()
        lowest_first = x.display.info.bitmap_format_bit_order == X.LSBFirst
        hidden = drawn = False
        clock = ""
        while (left := self._until - time.monotonic()) > 0 and not self._over.is_set():
            if not x.pending_events():
                select.select([x.fileno()], [], [], _TICK_SECONDS)
            while x.pending_events():
                event = x.next_event()
                if event.type == X.ButtonPress:
                    return
                if event.type == X.Expose:
                    sentence.draw(window, 0, 0, lowest_first)
                    drawn, clock = True, ""
                elif event.type == X.VisibilityNotify:
                    hidden = event.state != X.VisibilityUnobscured
            if digits and drawn and clock != (new := clock_of(left)):
                clock = new
                shown = digits.cells(clock)
                shown.draw(window, (width - shown.width) // 2, sentence.height, lowest_first)
            if hidden:  # once a tick: another window may think the same of itself
                window.configure(stack_mode=X.Above)
                hidden = False
            x.flush()


def clock_of(seconds: float) -> str:
    """``4:59``; of as many signs while it counts down, so that each is drawn over the last one."""
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


@dataclass(frozen=True)
class _Bits:
    """A picture: its rows as ones and zeros."""

    rows: list[str]

    @property
    def width(self) -> int:
        return len(self.rows[0])

    @property
    def height(self) -> int:
        return len(self.rows)

    def times(self, times: int) -> _Bits:
        wide = ["".join(bit * times for bit in row) for row in self.rows]
        return _Bits([row for row in wide for _ in range(times)])

    def cells(self, text: str) -> _Bits:
        """Of a picture of :data:`DIGITS`, those of a text."""
        room = self.width // len(DIGITS)
        places = [DIGITS.index(sign) * room for sign in text]
        return _Bits(["".join(row[at : at + room] for at in places) for row in self.rows])

    def draw(self, window: Window, x: int, y: int, lowest_first: bool) -> None:
        data = _for_server(self.rows, lowest_first)
        pen = window.create_gc(foreground=_LETTERS, background=_BACKGROUND)
        window.put_image(pen, x, y, self.width, self.height, X.XYBitmap, 1, 0, data)
        pen.free()


def _read(path: Path) -> _Bits:
    """A picture of pbm(5), P4."""
    _, size, bits = path.read_bytes().split(b"\n", 2)
    width, height = map(int, size.split())
    length = (width + 7) // 8
    rows = [bits[y * length : (y + 1) * length] for y in range(height)]
    turned = str.maketrans("01", "10")  # there 1 is black, which is what was not drawn
    return _Bits(["".join(f"{byte:08b}" for byte in row)[:width].translate(turned) for row in rows])


def _for_server(rows: list[str], lowest_first: bool) -> bytes:
    """A bitmap as PutImage wants it: rows of whole 32 bits, in the server's order of bits."""
    data = bytearray()
    for row in rows:
        padded = row + "0" * (-len(row) % 32)
        for i in range(0, len(padded), 8):
            bits = padded[i : i + 8]
            data.append(int(bits[::-1] if lowest_first else bits, 2))
    return bytes(data)
