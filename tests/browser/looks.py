"""Each page in each language, in the light and in the dark, from a wide screen to a phone."""

from __future__ import annotations

from collections.abc import Sequence

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser import viewer
from tests.browser.korean import all_is_korean
from tests.support import axe
from tests.support.chromium import keep
from tests.support.lab import Lab

LANGUAGES = ("ko", "en")
WIDTHS = (1440, 1024, 390)
_USUAL = {"width": 1280, "height": 800}

# The tools of the viewer that open a dialog.
DIALOGS = ("settings", "keys", "clipboard", "files", "connection", "stop")


def speak(page: Page, language: str) -> None:
    page.locator("select.language").select_option(language)


def look_at(page: Page, name: str, widths: Sequence[int] = WIDTHS) -> None:
    """A page with our header: nobody is kept from using it, and nothing is out of its window."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    for language in LANGUAGES:
        speak(page, language)
        if language == "ko":
            all_is_korean(page, name)
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            _fits(page, name)
            _pictures(page, f"{name}-{language}-{width}")
        axe.check(page, f"{name} in {language} at {width}")
    page.set_viewport_size(_USUAL)


def look_at_the_viewer(page: Page, language: str) -> None:
    """All that its tools open. Korean words have the colours of English ones."""
    schemes: list[axe.Scheme] = ["light", "dark"] if language == "en" else ["light"]
    for tool in DIALOGS:
        viewer.open_tool(page, tool)
        if language == "ko":
            all_is_korean(page, f"viewer-{tool}")
        axe.check(page, f"viewer-{tool} in {language}", schemes)
        if tool == "settings":
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                _fits(page, f"viewer-{tool}")
                _pictures(page, f"viewer-{tool}-{language}-{width}", schemes[-1:])
            page.set_viewport_size(_USUAL)
        viewer.close_tool(page)


def look_at_nothing(context: BrowserContext, lab: Lab) -> None:
    """A desktop that is not there."""
    page = context.new_page()
    page.goto(f"{lab.url}moonlight/sessions/ml-nobody-aaaaaaaaaa/")
    page.get_by_test_id("unknown-page").wait_for()
    axe.check(page, "unknown")
    page.close()


def look_at_the_log(page: Page, card: Locator) -> None:
    """And in Korean at what asks before a stop."""
    card.get_by_test_id("stop").focus()
    card.get_by_test_id("log").dispatch_event("click")  # as in Safari, which does not focus it
    page.get_by_role("dialog").wait_for()
    axe.check(page, "log")
    page.keyboard.press("Escape")
    expect(card.get_by_test_id("log")).to_be_focused()
    speak(page, "ko")
    for dialog in ("log", "stop"):
        card.get_by_test_id(dialog).click()
        page.get_by_role("dialog").wait_for()
        all_is_korean(page, dialog)
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
    speak(page, "en")


def _pictures(page: Page, name: str, schemes: Sequence[axe.Scheme] = ("light", "dark")) -> None:
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        keep(page, f"{name}-{scheme}")
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")


def _fits(page: Page, name: str) -> None:
    wide, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window, f"{name} is {wide} px wide in a window of {window} px"
