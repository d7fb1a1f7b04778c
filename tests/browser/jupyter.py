"""Running desktops in JupyterLab and in Notebook 7, as functions that several tests share."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.support.chromium import keep
from tests.support.lab import Lab
from tests.support.waiting import PATIENCE, wait_for

_LOCALE = "lab/api/settings/@jupyterlab/translation-extension:plugin"


def open_it_from_jupyterlab(context: BrowserContext, lab_page: Page, session: Any) -> None:
    """By its card, the File menu, the command palette and the panel of what runs."""
    lab_page.bring_to_front()
    named = f"Open {session['image_name']}"
    card = lab_page.locator(".jp-LauncherCard", has_text=named)
    card.wait_for()
    keep(lab_page, "jupyterlab-launcher")
    _opens(context, session, card.click)

    lab_page.get_by_role("menuitem", name="File").click()
    lab_page.locator(".lm-Menu-item", has_text="New").first.hover()
    item = lab_page.locator(".lm-Menu-item", has_text=named)
    item.wait_for()
    keep(lab_page, "jupyterlab-menu")
    _opens(context, session, item.click)

    lab_page.keyboard.press("Control+Shift+C")
    lab_page.keyboard.type(named)
    # It is in the list of all commands, too; Enter is for the one that is marked in what is left of that.
    lab_page.locator(".lm-CommandPalette-item.lm-mod-active", has_text=named).wait_for()
    _opens(context, session, lambda: lab_page.keyboard.press("Enter"))

    row = _running(lab_page, "Running Terminals and Kernels", session)
    _opens(context, session, row.locator(".jp-RunningSessions-itemLabel").click)
    row.hover()
    row.locator(".jp-RunningSessions-itemShutdown").click()
    dialog = lab_page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Stop {session['image_name']}?")
    keep(lab_page, "jupyterlab-stop")
    lab_page.keyboard.press("Enter")  # which leaves it running
    expect(dialog).to_have_count(0)
    lab_page.get_by_role("tab", name="File Browser").click()


def stop_it_from_a_korean_notebook(context: BrowserContext, lab: Lab, session: Any) -> None:
    """Notebook 7 has it in its New menu and its list of what runs, which stops it when told twice."""
    session = {**session, "image_name": session["image_names"]["ko"]}
    _set(lab, {"locale": "ko_KR"})
    try:
        page = context.new_page()
        page.goto(f"{lab.url}tree?token={lab.token}")
        named = f"{session['image_name']} 열기"
        page.locator(".jp-DropdownMenu .lm-MenuBar-item").click()
        item = page.locator(".lm-Menu-item", has_text=named)
        item.wait_for()
        # Our entry in jupyter-server-proxy would be the same once more.
        expect(page.locator(".lm-Menu-item", has_text="Moonlight")).to_have_count(1)
        keep(page, "notebook-menu-ko")
        _opens(context, session, item.click)
        row = _running(page, "Running", session)
        expect(row).to_contain_text("실행 중")
        row.hover()
        row.locator(".jp-RunningSessions-itemShutdown").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(f"{session['image_name']}: 중지할까요?")
        keep(page, "notebook-stop-ko")
        dialog.get_by_role("button", name="중지").click()
        expect(row).to_have_count(0)
    finally:
        _set(lab, {})
    path = f"sessions/{session['session_id']}"
    wait_for(lambda: lab.api(path)["status"] == "cancelled", interval=0.2)


def _running(page: Page, tab: str, session: Any) -> Any:
    page.get_by_role("tab", name=tab).first.click()
    row = page.locator(".jp-RunningSessions-item", has_text=session["image_name"])
    row.wait_for()
    return row


def _opens(context: BrowserContext, session: Any, act: Any) -> None:
    with context.expect_page() as opened:
        act()
    address = f"**/moonlight/sessions/{session['session_id']}/"
    opened.value.wait_for_url(address, wait_until="commit")
    opened.value.close()


def _set(lab: Lab, settings: dict[str, str]) -> None:
    """What the user has chosen for JupyterLab's language."""
    request = urllib.request.Request(
        f"{lab.url}{_LOCALE}",
        method="PUT",
        data=json.dumps({"raw": json.dumps(settings)}).encode(),
        headers={"Authorization": f"token {lab.token}"},
    )
    urllib.request.urlopen(request, timeout=PATIENCE).close()
