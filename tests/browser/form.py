"""The launch form as a person sees it: on which screens, and with what he keeps of it."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Browser, Page, Response, expect

from tests.browser.desktop import open_page
from tests.support import axe
from tests.support.chromium import person
from tests.support.lab import Lab

# Browser windows of a desk, of an old projector and of a phone.
_WITHOUT_SCROLLING = [(1440, 900), (1024, 768)]
_PHONE = (390, 844)

_COVERED = """
([field, launch]) => {
  const rects = [field, ...field.closest('.field').querySelectorAll('.field-error')]
    .map((element) => element.getBoundingClientRect());
  const over = launch.getBoundingClientRect();
  return rects.some((rect) => rect.bottom > over.top && rect.top < over.bottom);
}
"""


def look_at_it(page: Page) -> None:
    """Launch is in sight, and lies over nothing."""
    before = page.viewport_size
    assert before
    launch = page.locator("[data-testid=launch]")
    for width, height in _WITHOUT_SCROLLING:
        page.set_viewport_size({"width": width, "height": height})
        expect(launch).to_be_in_viewport(ratio=1)
    page.set_viewport_size({"width": _PHONE[0], "height": _PHONE[1]})
    page.locator(".options > summary").click()
    for field in page.locator(".fields :is(input:not([type=checkbox]), select)").all():
        if field.evaluate("(element) => element.tagName") == "INPUT":
            field.fill("no number")
    launch.click()
    expect(page.locator("#field-hours")).to_be_focused()
    expect(page.locator("[data-testid=field-error]").first).to_be_visible()
    for field in page.locator(".fields :is(input, select)").all():
        field.focus()
        assert not page.evaluate(_COVERED, [field.element_handle(), launch.element_handle()])
    page.set_viewport_size(before)
    page.reload()
    launch.wait_for()


def _keeps(answer: Response) -> bool:
    kept = answer.request.method == "PUT" and answer.url.endswith("/api/moonlight/choices")
    return kept and answer.status == 200


def keep_a_preset(page: Page, elsewhere: Callable[[], None]) -> None:
    """Saved, looked for elsewhere, found after a reload, renamed, and deleted."""
    options, preset = page.locator(".options > summary"), page.locator("[data-testid=preset]")
    options.click()
    page.locator("#field-hours").fill("0.5")
    page.locator("[data-testid=preset-save]").click()
    axe.check(page, "preset")
    page.locator("[data-testid=preset-name]").fill("짧게")
    with page.expect_response(_keeps):
        page.keyboard.press("Enter")
    expect(preset).to_have_value("짧게")
    elsewhere()
    page.reload()
    expect(preset).to_have_value("")
    options.click()
    expect(page.locator("#field-hours")).not_to_have_value("0.5")
    preset.select_option("짧게")
    expect(page.locator("#field-hours")).to_have_value("0.5")
    page.locator("[data-testid=preset-rename]").click()
    page.locator("[data-testid=preset-name]").fill("Short")
    with page.expect_response(_keeps):
        page.keyboard.press("Enter")
    expect(preset).to_have_value("Short")
    with page.expect_response(_keeps):
        page.locator("[data-testid=preset-delete]").click()
    expect(preset).to_have_count(0)
    page.reload()
    page.locator("[data-testid=launch]").wait_for()


def find_the_preset_in_another_browser(browser: Browser, lab: Lab) -> None:
    """Of the same person, who has never been here with it."""
    with person(browser) as another:
        page = open_page(another, lab)
        page.locator("[data-testid=preset]").select_option("짧게")
        page.locator(".options > summary").click()
        expect(page.locator("#field-hours")).to_have_value("0.5")
