"""The way of a person who has no pointer."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Locator, Page

from tests.browser.desktop import session_card, wait_for_desktop, wait_running
from tests.support.lab import Lab

# More than any page has to go through.
_MOST_TABS = 80


def tab_to(page: Page, wanted: Locator) -> None:
    wanted.wait_for()
    for _ in range(_MOST_TABS):
        if wanted.evaluate("(e) => e === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{_MOST_TABS} times Tab did not lead to {wanted}")


def to_the_desktop(context: BrowserContext, lab: Lab) -> tuple[Page, str]:
    """From JupyterLab's launcher through the launch to the desktop; its page and session's id."""
    launcher = context.new_page()
    launcher.goto(f"{lab.url}lab?token={lab.token}&reset")
    page = _opened(context, launcher, launcher.locator(".jp-LauncherCard", has_text="Moonlight"))
    tab_to(page, page.get_by_test_id("launch"))
    with page.expect_response(lambda answer: answer.request.method == "POST") as launched:
        page.keyboard.press("Enter")
    session_id: str = launched.value.json()["session_id"]
    wait_running(page, session_id)
    connect = session_card(page, session_id).get_by_test_id("connect")
    desktop = _opened(context, page, connect)
    wait_for_desktop(desktop)
    return desktop, session_id


def _opened(context: BrowserContext, page: Page, link: Locator) -> Page:
    tab_to(page, link)
    with context.expect_page() as opened:
        page.keyboard.press("Enter")
    return opened.value
