"""What axe-core finds on a page that a part of its users cannot use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

from tests.support.firefox import Tab

Scheme = Literal["light", "dark"]
_AXE = Path(__file__).resolve().parents[2] / "jupyter_extension/node_modules/axe-core/axe.min.js"

# A colour on its way to another one is none that anybody reads.
_RUN = """async () => {
  const ends = ({ effect }) => effect.getComputedTiming().endTime !== Infinity;
  await Promise.allSettled(document.getAnimations().filter(ends).map((a) => a.finished));
  const { violations } = await axe.run(document, { resultTypes: ['violations'] });
  return violations.map(({ id, help, nodes }) => ({
    id,
    help,
    nodes: nodes.map(({ html, any }) => `${html.slice(0, 300)} ${any.map((c) => c.message)}`),
  }));
}"""


@cache
def _axe() -> str:
    assert _AXE.is_file(), f"{_AXE} is missing. Run tools/build_web.py, which brings it."
    return _AXE.read_text("utf-8")


def violations(page: Page) -> list[Any]:
    """Of all rules of axe-core, on the page with its frames."""
    for frame in page.frames:  # the one of the page asks those of its frames
        if not frame.evaluate("typeof axe === 'object'"):
            frame.evaluate(_axe())
    return list(page.evaluate(_RUN))


def check(page: Page, name: str, schemes: Sequence[Scheme] = ("light", "dark")) -> None:
    """AssertionError if axe-core finds anything, in the light or in the dark."""
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = violations(page)
        assert not found, f"{name}, {scheme}: " + "\n".join(map(str, found))
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")


def check_in_firefox(tab: Tab, name: str) -> None:
    tab.js(f"{_axe()}; null")
    found = json.loads(tab.js(f"({_RUN})().then(JSON.stringify)"))
    assert not found, f"{name}: " + "\n".join(map(str, found))
