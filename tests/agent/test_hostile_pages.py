"""Pages of another origin in the browser of who has a desktop open, and what gets into ours by mistake.

The other origin is another port of the same host: of one site with the desktop, so the cookie is sent along.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.viewer import FRAME
from tests.cluster.users import TestUser
from tests.support.chromium import chromium, person
from tests.support.one_origin import Front
from tests.support.waiting import wait_for

from .conftest import Launch
from .sessions import settings
from .test_shared_origin import DASHBOARD, typed, wait_for_desktop

pytestmark = pytest.mark.usefixtures("whole_desktop")

# What the viewer, the page in its frame and the host's client listen to, in shapes that are none; then LAST.
SAYS = """() => {
  const types = ['moonlight:stream', 'moonlight:guest', 'moonlight:ready', 'stats', 'serverSettings',
    'getStats', 'settings', 'setManualResolution', 'setScaleLocally', 'pipelineControl', 'setVolume',
    'command', 'clipboardUpdateFromUI', 'fileUpload', 'close', {}, ['stats']];
  const polluting = JSON.parse('{"__proto__": {"theirs": 1}, "constructor": {"prototype": 1}}');
  const words = [{}, { state: 'disturbed' }, { state: '__proto__' }, { data: null, payload: null },
    { data: polluting, payload: polluting }, { data: 'x'.repeat(1e5) }, { value: 'touch theirs' },
    { width: 1e308, height: -1 }, { settings: { video_bitrate: {}, framerate: 'NaN' } }, polluting];
  const odd = [null, undefined, 0, '', [], new Map(), new Date(NaN), new Blob(['x']), 1n];
  const said = [...types.flatMap((type) => words.map((more) => ({ ...more, type }))), ...odd];
  for (const to of [desktop[0], desktop]) {
    for (const message of [...said, 'LAST']) to.postMessage(message, '*');
  }
}"""
HEARS = "() => addEventListener('message', ({ data }) => data === 'LAST' && (window.heard = true))"
LOOKS = """() => {
  const tried = {};
  const attempt = (name, work) => {
    try { tried[name] = String(work()); } catch (e) { tried[name] = e.name; }
  };
  attempt('page', () => desktop.document.title);
  attempt('address', () => desktop.location.href);
  attempt('token', () => desktop[Symbol.for('moonlight-page')]);
  attempt('frame', () => desktop[0].document.title);
  attempt('frame elsewhere', () => { desktop[0].location = 'about:blank'; return 'went'; });
  return tried;
}"""
FRAMES = """(address) => new Promise((done) => {
  document.querySelector('iframe')?.remove();
  const frame = document.createElement('iframe');
  frame.onload = done;
  frame.src = address;
  document.body.append(frame);
})"""

# What markup in a page could bring; each has to be refused by a rule of its own.
INJECTS = """(theirs) => {
  window.rules = [];
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
    window.rules.push(effectiveDirective);
  });
  const add = (name, values) => {
    const made = Object.assign(document.createElement(name), values);
    document.body.append(made);
    return made;
  };
  add('script', { textContent: 'window.theirs = 1' });
  add('script', { src: `${theirs}/theirs.js` });
  add('div', { innerHTML: '<img src="x" onerror="window.theirs = 1">' });
  add('iframe', { src: theirs });
  add('img', { src: `${theirs}/x.png` });
  add('base', { href: theirs });
  add('object', { data: theirs });
  fetch(theirs).catch(() => null);
  add('form', { action: theirs, method: 'post' }).submit();
}"""
RULES = {"script-src-elem", "script-src-attr", "frame-src", "img-src"}
RULES |= {"base-uri", "object-src", "connect-src", "form-action"}

# In what the viewer reads of what was stored, which pages of others may have written.
STORED = [
    "5",
    "[]",
    "{}",
    '"constructor"',
    '{"__proto__": {"theirs": 1}, "quality": {}, "volume": 7}',
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def victim(browser: Browser) -> Iterator[BrowserContext]:
    with person(browser, ignore_https_errors=True) as one:
        yield one


def test_a_page_of_another_origin_and_markup_in_ours_reach_nothing(
    launch: Launch, victim: BrowserContext, user: TestUser
) -> None:
    session = launch(env=settings(user, sharing="control"))
    session.wait_running()
    form = DASHBOARD.replace("PORT", str(session.gateway.port)).replace("TOKEN", session.token)
    other = Front({"/": "<!doctype html><body></body>", "/theirs.js": "window.theirs = 1"})
    with Front({"/pun/sys/dashboard": form}) as front, other:
        page = victim.new_page()
        page.goto(f"{front.url}/pun/sys/dashboard")
        page.get_by_text("Launch").click()
        wait_for_desktop(page)
        address = page.url
        page.close()

        hostile = victim.new_page()
        hostile.goto(f"{other.url}/")
        page = opened_by(hostile, address)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        for frame in page.frames:
            frame.evaluate(HEARS)
        hostile.evaluate(SAYS)
        wait_for(lambda: all(frame.evaluate("window.heard") for frame in page.frames))
        assert set(hostile.evaluate(LOOKS).values()) == {"SecurityError"}
        typed(page, user)  # nor is the picture gone, or said to be
        assert page.evaluate("({}).theirs ?? null") is None and errors == []
        for path in ("", "desktop/core.html", "join"):
            hostile.evaluate(FRAMES, address + path)
            [frame] = hostile.main_frame.child_frames
            assert frame.url.startswith("chrome-error:"), path

        for value in STORED:
            names = ["viewer", "tell-me", "files", "language", f"screen:{session.id}"]
            page.evaluate(
                "([names, value]) => names.forEach((n) => localStorage.setItem(`moonlight:${n}`, value))",
                [names, value],
            )
            page.reload()
            page.frame_locator(FRAME).locator("#overlayInput").wait_for(state="attached")
            assert page.evaluate("({}).theirs ?? null") is None and errors == [], value

        for path in ("", "join#once"):
            page = victim.new_page()
            page.goto(address + path)
            page.evaluate(INJECTS, other.url)
            wait_for(lambda at=page: set(at.evaluate("window.rules")) >= RULES)
            assert page.evaluate("window.theirs ?? null") is None
            assert page.url.startswith(address)


def opened_by(hostile: Page, address: str) -> Page:
    with hostile.expect_popup() as opened:
        hostile.evaluate("(address) => { window.desktop = open(address); }", address)
    page = opened.value
    wait_for_desktop(page)
    return page
