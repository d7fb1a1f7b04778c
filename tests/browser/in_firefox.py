"""The way of a person who uses Firefox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.browser.desktop import AGAIN_SECONDS, DESKTOP_COLOURS, WINDOW
from tests.support import axe
from tests.support.chromium import changed, colours
from tests.support.firefox import Firefox, Tab
from tests.support.lab import Lab
from tests.support.waiting import wait_until

# Keeps what the browser was told to tell, and tells it.
_KEEP_TOLD = """() => {
  window.told = [];
  window.Notification = class extends Notification {
    constructor(title, options) {
      super(title, options);
      window.told.push(title);
    }
  };
}"""


def open_page(browser: Firefox, lab: Lab) -> Tab:
    """From JupyterLab's launcher to the session page."""
    browser.allow_notifications(lab.url.removesuffix(lab.base_url))
    browser.call("script.addPreloadScript", functionDeclaration=_KEEP_TOLD)
    launcher = browser.open()
    launcher.goto(f"{lab.url}lab?token={lab.token}&reset")
    known = browser.tabs()
    launcher.click(".jp-LauncherCard", "Moonlight Desktop")
    return browser.opened(known)


def look_at_its_progress(browser: Firefox, lab: Lab, session: Any) -> Tab:
    """The page that becomes the desktop when that is ready."""
    tab = browser.open()
    tab.activate()
    tab.goto(f"{lab.url}moonlight/sessions/{session['session_id']}/")
    tab.wait_text("h1", session["image_name"])
    tab.wait("document.title.startsWith('⏳')")
    axe.check_in_firefox(tab, "progress")
    return tab


def look_away_until_it_is_ready(browser: Firefox, page: Tab, name: str) -> None:
    """The page says it in its title, and has the browser say it, to whoever is in another tab."""
    page.wait(f"document.title === '(ready) {name}'")
    page.wait(f"window.told.join() === '{name} is ready'")
    page.activate()
    page.wait("!document.title.startsWith('(ready)')")


def connect(browser: Firefox, page: Tab, session_id: str) -> Tab:
    """Click Connect; the page with the desktop in it."""
    known = browser.tabs()
    page.click(f"[data-session-id={session_id}] [data-testid=connect]")
    desktop = browser.opened(known)
    desktop.wait("document.querySelector('[data-testid=desktop-frame]')")
    assert wait_until(lambda: colours(desktop.screenshot()) > DESKTOP_COLOURS, interval=0.2), (
        f"no desktop is seen; {desktop.keep('firefox-failed')!r}"
    )
    return desktop


def type_command(desktop: Tab, command: str, result: Path) -> str:
    """Type a shell command into a terminal of the desktop; what ``result`` holds then."""

    def written() -> bool:
        return result.exists() and bool(result.read_text().strip())

    def typed() -> bool:
        before = desktop.screenshot()
        desktop.press("Control", "Alt", "t")
        wait_until(lambda: changed(before, desktop.screenshot()) > WINDOW, AGAIN_SECONDS)
        desktop.type(command + "\n")
        return wait_until(written, AGAIN_SECONDS)

    desktop.click_at(640, 600)
    assert wait_until(typed), f"{result} was not written; {desktop.keep('firefox-failed')!r}"
    return result.read_text()
