"""Headless Chromium, and what a person does and sees in it."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image, ImageChops
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.waiting import PATIENCE

ARTIFACTS = Path(__file__).resolve().parents[1] / "artifacts"

# As root in a machine without a GPU and without a way to Google's hosts.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or the one that Playwright brought."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_ARGUMENTS
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def person(
    browser: Browser,
    locale: str = "en-US",
    ignore_https_errors: bool = False,
    colours: Literal["light", "dark"] = "light",
) -> Iterator[BrowserContext]:
    """A browser profile of its own."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800},
        locale=locale,
        color_scheme=colours,
        ignore_https_errors=ignore_https_errors,
    )
    context.set_default_timeout(PATIENCE * 1000)
    try:
        yield context
    finally:
        context.close()


def keep(page: Page, name: str) -> bytes:
    """Take a screenshot and keep it among the test run's artefacts."""
    ARTIFACTS.mkdir(exist_ok=True)
    return page.screenshot(path=ARTIFACTS / f"{name}.png")


def white(png: bytes) -> float:
    """How much of the picture is white, as a terminal is, from 0 to 1."""
    picture = Image.open(io.BytesIO(png)).convert("L")
    return picture.histogram()[255] / (picture.width * picture.height)


def changed(before: bytes, after: bytes) -> float:
    """How much of the picture differs between two screenshots, from 0 to 1."""
    one, other = (Image.open(io.BytesIO(png)).convert("RGB") for png in (before, after))
    difference = ImageChops.difference(one, other).convert("L").point(lambda v: 255 * (v > 0))
    return difference.histogram()[255] / (difference.width * difference.height)


def colours(png: bytes) -> int:
    """How many colours the middle of a screenshot has: a blank page has one or a few."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    width, height = image.size
    middle = image.crop((width // 8, height // 4, width * 7 // 8, height * 7 // 8))
    return len(middle.getcolors(1 << 24) or [])
