"""What a person does with the desktops in the list of the page."""

from __future__ import annotations

import json
import sys

from playwright.sync_api import Page, expect

from tests.cluster.users import run_as
from tests.support import axe
from tests.support.chromium import keep
from tests.support.lab import Lab
from tests.support.reachable import reachable
from tests.support.waiting import PATIENCE

from .desktop import session_card

expect.set_options(timeout=PATIENCE * 1000)


def rename(page: Page, session_id: str, name: str) -> None:
    """By the card's pencil; its buttons then tell which desktop is theirs."""
    card = session_card(page, session_id)
    card.locator("[data-testid=rename]").click()
    axe.check(page, "rename")
    page.locator("dialog [data-testid=name]").fill(name)
    page.keyboard.press("Enter")
    expect(card.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator("dialog")).to_have_count(0)
    for button in ("Stop", "Log"):
        expect(card.get_by_role("button", name=f"{button} {name}, job ")).to_have_count(1)
    expect(card.get_by_role("link", name=f"Connect {name}, job ")).to_have_count(1)


def read_its_log(page: Page, session_id: str) -> None:
    session_card(page, session_id).get_by_test_id("log").click()
    expect(page.locator("dialog pre.log")).to_be_visible()


def read_on_after_its_end(page: Page, session_id: str) -> None:
    """Its card is another one since then, and the log is still there; closing it leads to that card."""
    log = page.locator("dialog pre.log")
    card = page.locator(f"section.ended [data-session-id={session_id}]")
    expect(card).to_have_attribute("data-status", "cancelled")
    expect(log).to_be_visible()
    page.keyboard.press("Escape")
    expect(log).to_have_count(0)
    expect(card.get_by_test_id("log")).to_be_focused()


def look_at_its_picture(page: Page, session_id: str) -> None:
    """It comes into a place that was there before it, and is gone with one click."""
    card = session_card(page, session_id)
    picture, preview = (
        card.get_by_role("img", name="What the desktop"),
        card.get_by_test_id("preview"),
    )
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 480)  # a newer one may be coming just now
    whole = card.bounding_box()
    preview.get_by_role("button", name="Hide picture").click()
    expect(preview).to_contain_text("You have hidden the picture")
    expect(picture).to_have_count(0)
    assert card.bounding_box() == whole
    axe.check(page, "picture-hidden")
    preview.get_by_role("button", name="Show picture").press("Enter")
    expect(picture).to_be_visible()


def delete(page: Page, session_id: str) -> None:
    """What is on record of it, from the shelf of ended ones."""
    ended = page.get_by_role("region", name="Ended")
    ended.locator(f"[data-session-id={session_id}] [data-testid=delete]").click()
    axe.check(page, "delete")
    with page.expect_response(lambda answer: answer.url.endswith(f"{session_id}/record")) as said:
        page.locator("[data-testid=delete-confirm]").click()
    assert said.value.json() == {"deleted": [session_id]}
    expect(session_card(page, session_id)).to_have_count(0)


def keep_one_that_nobody_uses(page: Page, lab: Lab) -> None:
    """Its card counts down, and does so no more when its user says that he keeps it. The warning comes
    after a quarter of the time: the rest of that is for whoever is slow to answer it."""
    argv = [sys.executable, "-m", "moonlight_spawner", "session", "create", "--json"]
    rule = {"MOONLIGHT_HPC_IDLE_MINUTES": "1", "MOONLIGHT_HPC_IDLE_ENDS_BUSY": "1"}
    done = run_as(lab.user, argv, env={**lab.env, **rule}, cwd=reachable(), check=True)
    session_id = json.loads(done.stdout)["session_id"]
    card = session_card(page, session_id)
    warning = card.get_by_test_id("idle")
    expect(warning).to_contain_text("Nobody seems to use this desktop. It ends in ")
    expect(card).to_contain_text("Ends after 1 min without use.")
    axe.check(page, "idle")
    keep(page, "idle")
    with page.expect_response(lambda answer: answer.url.endswith(f"{session_id}/keep")) as said:
        warning.get_by_test_id("keep").press("Enter")
    assert said.value.json()["idle_ends_at"] is None
    expect(warning).to_have_count(0)
    expect(card).to_contain_text("Ends after 1 min without use.")
    lab.api(f"sessions/{session_id}", "DELETE")
