"""Takes the documentation's pictures from the running program: `docs/pictures/*.png`.

One desktop on this machine, as `make demo` has it, and a browser of each language and each scheme of
colours. What differs from one run to the next, or tells of this machine, is written over with fixed names.
"""

from __future__ import annotations

import contextlib
import io
import socket
import sys
from dataclasses import dataclass
from typing import Literal

from demo import ROOT, end_by_signals, ended_in_order, jupyter, this_machine
from moonlight_spawner.model.account import account as own_account
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.desktop import press_launch, session_card, wait_for_desktop
from tests.support.chromium import chromium, person

OUT = ROOT / "docs" / "pictures"
#: Language and colours. Each picture is taken in the first of them at least.
LOOKS: list[tuple[str, Literal["light", "dark"]]] = [
    ("en", "light"),
    ("ko", "dark"),
    ("en", "dark"),
    ("ko", "light"),
]
_LOCALES = {"en": "en-US", "ko": "ko-KR"}
_COLOURS = 64  # of a picture: a palette is a third of the bytes, and no eye sees it on a page

# Text as it stands in the documentation. React writes what has changed alone, so it stays.
_RENAME = r"""names => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const whole = (name) => new RegExp(`(?<![\\w-])${name}(?![\\w-])`, 'g');
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const text = names.reduce((t, [from, to]) => t.replace(whole(from), to), node.data);
    if (text !== node.data) node.data = text;
  }
}"""


@dataclass(frozen=True)
class Place:
    """A JupyterLab, and where its pictures go."""

    url: str
    token: str

    def keep(self, page: Page, name: str, session_id: str = "") -> None:
        names = [(socket.gethostname(), "n1"), (own_account().name, "alice")]
        if session_id:
            names.insert(0, (session_id, "ml-alice-4k7q2mzj5a"))
        page.evaluate(_RENAME, names)
        png = page.screenshot(animations="disabled")
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        small = picture.quantize(_COLOURS, dither=Image.Dither.NONE)
        small.save(OUT / f"{name}.png", optimize=True)
        print(f"  {name}.png, {(OUT / f'{name}.png').stat().st_size // 1024} KiB", flush=True)


def main() -> int:
    end_by_signals("its desktop, its JupyterLab and its files")
    OUT.mkdir(exist_ok=True)
    with contextlib.suppress(KeyboardInterrupt), ended_in_order() as stack:
        account = this_machine(stack)
        # As many as a newcomer's node has; the size of the pictures.
        account.env |= {"MOONLIGHT_HPC_CPUS": "2", "MOONLIGHT_HPC_MEMORY_GB": "4"}
        _, port = jupyter(stack, account)
        place = Place(f"http://127.0.0.1:{port}", account.env["JUPYTER_TOKEN"])
        browser = stack.enter_context(chromium())
        _take(place, browser)
        return 0
    return 1


def _take(place: Place, browser: Browser) -> None:
    with contextlib.ExitStack() as stack:
        homes = {}
        for language, colours in LOOKS:
            look = person(browser, _LOCALES[language], colours=colours)
            homes[language, colours] = _home(stack.enter_context(look), place)
        for (language, colours), page in list(homes.items())[:2]:
            page.locator("[data-testid=launch]").wait_for()
            place.keep(page, f"launch-{language}-{colours}")
        first, second = homes[LOOKS[0]], homes[LOOKS[1]]
        session_id = press_launch(first)
        for page, look in ((first, LOOKS[0]), (second, LOOKS[1])):
            progress = page.context.new_page()
            progress.goto(f"{place.url}/moonlight/sessions/{session_id}/")
            progress.locator("[data-testid=step][data-state=running]").first.wait_for()
            place.keep(progress, "progress-{}-{}".format(*look), session_id)
            progress.close()
        for (language, colours), page in homes.items():
            session_card(page, session_id, "running").wait_for()
            place.keep(page, f"home-{language}-{colours}", session_id)
        lab = first.context.pages[0]
        lab.bring_to_front()
        lab.locator(".jp-LauncherCard", has_text="Moonlight").first.scroll_into_view_if_needed()
        place.keep(lab, "lab-en-light", session_id)
        for look in LOOKS[:2]:
            _viewer(place, homes[look].context, look, session_id)
        session_card(first, session_id).locator("[data-testid=stop]").click()
        first.locator("[data-testid=stop-confirm]").click()
        for look in LOOKS[:2]:
            page = homes[look].context.new_page()
            page.goto(f"{place.url}/moonlight/sessions/{session_id}/")
            page.locator("[data-testid=ended-page]").wait_for()
            place.keep(page, "ended-{}-{}".format(*look), session_id)


def _home(context: BrowserContext, place: Place) -> Page:
    """The session page, with JupyterLab in the tab before."""
    lab = context.new_page()
    lab.goto(f"{place.url}/lab?token={place.token}&reset")
    page = context.new_page()
    page.goto(f"{place.url}/moonlight/")
    return page


def _viewer(place: Place, context: BrowserContext, look: tuple[str, str], session_id: str) -> None:
    page = context.new_page()
    page.goto(f"{place.url}/moonlight/sessions/{session_id}/")
    wait_for_desktop(page)
    page.locator("[data-testid=desktop-frame]").focus()
    page.keyboard.press("Control+Alt+Shift+M")
    page.locator(".tools").wait_for()
    page.wait_for_timeout(1500)  # the size of the window, and the wallpaper as it is drawn anew
    place.keep(page, f"viewer-{look[0]}", session_id)
    page.close()


if __name__ == "__main__":
    sys.exit(main())
