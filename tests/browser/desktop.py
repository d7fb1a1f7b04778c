"""The way of a person through the pages, as functions that several tests share."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, Response

from tests.support.chromium import colours, keep
from tests.support.lab import Lab

# XFCE's wallpaper and panel have thousands of colours; a black page with a line of text has few.
_DESKTOP_COLOURS = 200


def open_page(context: BrowserContext, lab: Lab) -> Page:
    """From JupyterLab's launcher to the session page."""
    page = context.new_page()
    page.goto(f"{lab.url}lab?token={lab.token}&reset")
    card = page.locator(".jp-LauncherCard", has_text="Moonlight Desktop")
    card.wait_for()
    keep(page, "1-launcher")
    with context.expect_page() as opened:
        card.click()
    return opened.value


def launch(page: Page) -> str:
    """Click Launch and wait until the session runs; its id."""
    session_id = press_launch(page)
    wait_running(page, session_id)
    return session_id


def press_launch(page: Page) -> str:
    """Click Launch; the id of the session, whatever comes of it."""
    # By the server's answer: the page lists other sessions of the same user too.
    with page.expect_response(_is_launch) as answer:
        page.locator("[data-testid=launch]").click()
    assert answer.value.status in (200, 201), answer.value.text()
    session_id: str = answer.value.json()["session_id"]
    return session_id


def session_card(page: Page, session_id: str, status: str = "") -> Locator:
    """The card of that session, in that state if one is named."""
    state = f"[data-status={status}]" if status else ""
    return page.locator(f"[data-testid=session-card][data-session-id={session_id}]{state}")


def wait_running(page: Page, session_id: str) -> None:
    session_card(page, session_id, "running").wait_for(timeout=180_000)


def _is_launch(answer: Response) -> bool:
    path = urlsplit(answer.url).path
    return answer.request.method == "POST" and path.endswith("/api/moonlight/sessions")


def connect(context: BrowserContext, page: Page, session_id: str) -> Page:
    """Click Connect; the page with the desktop in it."""
    with context.expect_page() as opened:
        session_card(page, session_id).locator("[data-testid=connect]").click()
    wait_for_desktop(opened.value)
    return opened.value


def wait_for_desktop(page: Page, timeout: float = 150) -> bytes:
    """Until the picture of a desktop is seen; the screenshot."""
    page.locator("[data-testid=desktop-frame]").wait_for()
    deadline = time.monotonic() + timeout
    while True:
        png = page.screenshot()
        if colours(png) > _DESKTOP_COLOURS:
            return png
        assert time.monotonic() < deadline, f"no desktop is seen; look at {keep(page, 'failed')!r}"
        time.sleep(0.5)


def type_command(page: Page, command: str, result: Path, timeout: float = 120) -> str:
    """Type a shell command into a terminal of the desktop; what ``result`` holds then."""
    page.mouse.click(640, 600)
    deadline = time.monotonic() + timeout
    while not result.exists() or not result.read_text().strip():
        assert time.monotonic() < deadline, f"{result} was not written; {keep(page, 'failed')!r}"
        page.keyboard.press("Control+Alt+t")  # a new terminal, should the first have been too slow
        time.sleep(3)
        page.keyboard.type(command + "\n", delay=15)
        time.sleep(1.5)
    return result.read_text()
