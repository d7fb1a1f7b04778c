"""A headless Chromium that shows desktops, and what its pages really show."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Frame, Page, sync_playwright

from .jupyter import SIZE, Jupyter

_PROBE = Path(__file__).with_name("probe.js").read_text("utf-8")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A page that changes its canvas in the very handler of the press: what is left is the harness.
_FLOOR = """<canvas width=1280 height=720 style="position:fixed;inset:0"></canvas><script>
const c = document.querySelector('canvas'), x = c.getContext('2d'); let on = false;
const fill = () => { x.fillStyle = on ? '#fff' : '#000'; x.fillRect(0, 0, 1280, 720); };
fill(); addEventListener('mousedown', () => { on = !on; fill(); });</script>"""


class NoPicture(Exception):
    """The page does not show what it should."""


@contextmanager
def browser() -> Iterator[Browser]:
    """Debian's Chromium if there is one, else Playwright's own."""
    program = shutil.which("chromium")
    if program and program.startswith(
        "/snap/"
    ):  # Ubuntu's, which does not start for users made by root
        program = None
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        try:
            yield chromium
        finally:
            chromium.close()


class DesktopPage:
    """A page with a desktop in it. ``frame`` is where its picture is: the page or a frame of it."""

    def __init__(self, page: Page):
        self.page = page
        self.frame: Frame = page.main_frame

    def probe(self, call: str) -> Any:
        """Ask the probe in the frame; it is put there when it is not yet."""
        with suppress(Error):
            return self.frame.evaluate(f"benchProbe.{call}")
        self.frame.evaluate(_PROBE)
        return self.frame.evaluate(f"benchProbe.{call}")

    def until(self, ready: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Ask ``ready`` until it says so; while the page is loading it may fail.

        Raises
        ------
        NoPicture
        """
        deadline = time.monotonic() + seconds
        while True:
            with suppress(Error):
                if ready():
                    return
            if time.monotonic() > deadline:
                raise NoPicture(f"{what} after {seconds:g} s on {self.page.url.partition('?')[0]}")
            self.page.wait_for_timeout(25)

    def wait_for_picture(self, size: tuple[int, int] | None = SIZE) -> None:
        """Until there is a picture, of that size in pixels if one is given."""
        self.until(
            lambda: (
                (size is None or self.probe("size()") == list(size)) and self.probe("picture()")
            ),
            "there is no picture",
        )

    def motion(self, seconds: float) -> dict[str, Any]:
        """Frames that were shown; the motion client must be running."""
        self.until(lambda: self.probe("motion(200)")["fps"] > 0.5, "nothing moves")
        return dict(self.probe(f"motion({seconds * 1000:g})"))

    def clicks(self, count: int) -> list[float]:
        """Milliseconds from a press in the page until the page shows its effect."""
        width, height = SIZE
        box = self.frame.evaluate("benchProbe.box()")
        self.page.mouse.move(box["x"] + 0.6 * width, box["y"] + 0.6 * height)
        times: list[float] = []
        for turn in range(count + 2):
            self.page.wait_for_timeout(250 + 150 * random.random())
            self.frame.evaluate("benchProbe.arm()")
            self.page.mouse.down()
            self.page.mouse.up()
            taken = self.frame.evaluate("benchProbe.clicked")
            if taken is None:
                raise NoPicture("a click changed nothing within 3 s")
            if turn >= 2:
                times.append(taken)
        return times


@contextmanager
def open_page(chromium: Browser, url: str, login: Jupyter | None = None) -> Iterator[DesktopPage]:
    """A page of its own, logged in to ``login`` first, at ``url``."""
    context = chromium.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
    try:
        page = context.new_page()
        if login:
            # Sets the server's cookie, as a login form does.
            page.goto(f"{login.url}/api/status?token={login.token}")
        page.goto(url)
        yield DesktopPage(page)
    finally:
        context.close()


def harness_floor(chromium: Browser, count: int) -> list[float]:
    """Clicks on a page without any server: what this measurement itself takes."""
    with open_page(chromium, "about:blank") as shown:
        shown.page.set_content(_FLOOR)
        shown.until(lambda: bool(shown.probe("size()")), "there is no canvas")
        return shown.clicks(count)
