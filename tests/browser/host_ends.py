"""What streams a desktop ends while somebody looks: the page says so and has the picture again, by itself."""

from __future__ import annotations

import signal
from collections.abc import Callable

from playwright.sync_api import Page

from tests.cluster.processes import Process
from tests.support.waiting import wait_for

_FRAME = "[data-testid=desktop-frame]"

# Each word of the banner once, in their order, however short it is there; and a mark in the page that shows
# the stream, which a page that was loaded anew does not have.
_WATCH = """() => {
  const words = (window.bannerSaid = []);
  document.querySelector('FRAME').contentWindow.before = true;
  const look = () => {
    const banner = document.querySelector('[data-testid=connection-banner]');
    const said = banner ? [banner.dataset.phase, banner.dataset.cause].filter(Boolean).join(' ') : '';
    if (said && words.at(-1) !== said) words.push(said);
  };
  window.bannerWatch?.disconnect();
  window.bannerWatch = new MutationObserver(look);
  window.bannerWatch.observe(document.body, { subtree: true, childList: true, attributes: true });
}""".replace("FRAME", _FRAME)
_ANEW = f"() => !document.querySelector('{_FRAME}')?.contentWindow?.before"


def comes_back(page: Page, pid: int, there: Callable[[], object]) -> list[str]:
    """Kill a process of the host, and do nothing until its picture is ``there`` in a page that was loaded
    anew; what the banner said meanwhile."""
    page.evaluate(_WATCH)
    Process.of(pid).signal(signal.SIGKILL)
    page.wait_for_function(_ANEW)
    wait_for(there, interval=0.1)
    said: list[str] = page.evaluate("bannerSaid")
    return said
