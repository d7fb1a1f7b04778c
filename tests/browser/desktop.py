"""The way of a person through the pages, as functions that several tests share."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, Response

from tests.support.chromium import changed, colours, keep
from tests.support.lab import Lab
from tests.support.waiting import wait_until

# XFCE's wallpaper and panel have thousands of colours; a black page with a line of text has few.
DESKTOP_COLOURS = 200

# A terminal covers a quarter of the desktop.
WINDOW = 0.1

# After so long a key press is taken for lost: the desktop shows its picture before it hears.
AGAIN_SECONDS = 5.0


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
    """Until it runs; one that has ended instead is told at once, with its reason."""
    card = session_card(page, session_id)
    ended = [
        f"[data-status={status}]" for status in ("completed", "failed", "cancelled", "timeout")
    ]
    page.locator(
        f"[data-session-id={session_id}]:is({','.join(['[data-status=running]', *ended])})"
    ).wait_for()
    assert card.get_attribute("data-status") == "running", card.inner_text()


def _is_launch(answer: Response) -> bool:
    path = urlsplit(answer.url).path
    return answer.request.method == "POST" and path.endswith("/api/moonlight/sessions")


def connect(context: BrowserContext, page: Page, session_id: str) -> Page:
    """Click Connect; the page with the desktop in it."""
    with context.expect_page() as opened:
        session_card(page, session_id).locator("[data-testid=connect]").click()
    wait_for_desktop(opened.value)
    return opened.value


def wait_for_desktop(page: Page) -> bytes:
    """Until the picture of a desktop is seen; the screenshot."""
    page.locator("[data-testid=desktop-frame]").wait_for()
    seen = [b""]

    def desktop() -> bool:
        seen[0] = page.screenshot()
        return colours(seen[0]) > DESKTOP_COLOURS

    assert wait_until(desktop, interval=0.2), f"no desktop is seen; {keep(page, 'failed')!r}"
    return seen[0]


def type_command(page: Page, command: str, result: Path, pointer: bool = True) -> str:
    """Type a shell command into a terminal of the desktop; what ``result`` holds then."""

    def written() -> bool:
        return result.exists() and bool(result.read_text().strip())

    def typed() -> bool:
        before = page.screenshot()
        page.keyboard.press("Control+Alt+t")  # a new terminal, should the first have been too slow
        wait_until(lambda: changed(before, page.screenshot()) > WINDOW, AGAIN_SECONDS)
        page.keyboard.type(command + "\n", delay=15)
        return wait_until(written, AGAIN_SECONDS)

    if pointer:
        page.mouse.click(640, 600)
    assert wait_until(typed), f"{result} was not written; {keep(page, 'failed')!r}"
    return result.read_text()
