"""Every keyboard on one real desktop: what a browser's keys write in its programs (docs/keyboards.md).

``make keyboards`` measures each symbol of each layout and writes the tables; the suite tries some of each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from moonlight_spawner.agent.display import xclient
from moonlight_spawner.site.options import MoonlightSite
from playwright.sync_api import BrowserContext, Frame, Page

from tests.browser.viewer import FRAME
from tests.cluster.users import TestUser
from tests.keyboards import table
from tests.keyboards.heard import Listener
from tests.keyboards.layouts import Stroke, strokes
from tests.keyboards.played import SYSTEMS, play, play_events, press
from tests.keyboards.pressed import press_as_sunshine, screen_of
from tests.support.chromium import chromium, person
from tests.support.one_origin import Front
from tests.support.waiting import wait_for

from .sessions import AgentSession, settings, start_agent
from .test_shared_origin import DASHBOARD

LAYOUTS = MoonlightSite().keyboards
_WRITES = os.environ.get("KEYBOARDS") == "write"
_LAST = "F12"
_FEW = 3  # of a layout's symbols for each way of telling of them
_HELD = ("Shift", "Control", "Alt", "a")
#: What a browser calls them, and what the page does.
KEYS = {
    "Hangul": ("HangulMode", "Lang1"), "Hanja": ("HanjaMode", "Lang2"),
    "Zenkaku/Hankaku": ("ZenkakuHankaku", "Backquote"), "Henkan": ("Convert", "Convert"),
    "Muhenkan": ("NonConvert", "NonConvert"), "Hiragana/Katakana": ("Hiragana", "KanaMode"),
    "Eisu": ("Alphanumeric", "CapsLock"), "CapsLock": ("CapsLock", "CapsLock"),
    "ScrollLock": ("ScrollLock", "ScrollLock"), "Menu": ("ContextMenu", "ContextMenu"),
    "Pause": ("Pause", "Pause"), "Super (Windows, Command)": ("Meta", "MetaLeft"),
    "Compose": ("Compose", "MetaRight"), "F13": ("F13", "F13"), "louder": ("AudioVolumeUp", "AudioVolumeUp"),
    "number pad, 1 with NumLock": ("1", "Numpad1"), "number pad, 1 without": ("End", "Numpad1"),
    "number pad, decimal point": (".", "NumpadDecimal"), "number pad, Enter": ("Enter", "NumpadEnter"),
    "number pad, decimal comma": (",", "NumpadDecimal"),
}  # fmt: skip


class Desk:
    """A desktop of a Korean keyboard, a browser's page of it, and a program that listens there."""

    def __init__(self, session: AgentSession, context: BrowserContext, url: str, log: Path):
        self.context, self.screen = context, screen_of(session)
        self.page: Page = context.new_page()
        self.page.goto(f"{url}/pun/sys/dashboard")
        self.page.get_by_text("Launch").click()
        self.listener = Listener(session, log)
        self.begin()
        wait_for(lambda: self._hears(log), interval=0.2)
        self.listener.until("F9")

    def begin(self) -> None:
        self.page.frame_locator(FRAME).locator("#overlayInput").wait_for()
        self.page.locator(FRAME).focus()

    def _hears(self, log: Path) -> bool:
        play_events(self.client, press("F9", "F9"))
        return "F9" in log.read_text()

    @property
    def client(self) -> Frame:
        [client] = self.page.main_frame.child_frames
        return client

    def layout(self, name: str) -> None:
        layout, _, variant = name.rstrip(")").partition("(")
        self.listener.run(["setxkbmap", "-layout", layout, "-variant", variant])
        # Until the host has heard of it, too: then it finds a key for what it is told.
        play_events(self.client, press(_LAST, _LAST))
        self.listener.until(_LAST)

    def browser(self, *wanted: tuple[str, list[Stroke]]) -> list[str]:
        """What programs wrote wrong of what a browser of each system told."""
        for system, told in wanted:
            play(self.client, told, system)
        play_events(self.client, press(_LAST, _LAST))
        came = [key.text for key in self.listener.until(_LAST)]
        return table.wrong([stroke for _, told in wanted for stroke in told], came)

    def sunshine(self, layout: str, wanted: list[Stroke]) -> list[str]:
        press_as_sunshine(self.screen, self.listener.env, layout, wanted)
        return table.wrong(wanted, [key.text for key in self.listener.until(_LAST)])

    def keys_down(self) -> int:
        with xclient.connection(self.screen) as x:
            return sum(x.query_keymap())

    def hold(self) -> None:
        """Until it is known on the desktop; the page may just have come."""
        for key in _HELD:
            self.page.keyboard.down(key)
        wait_for(self.keys_down)

    def let_go(self) -> None:
        for key in _HELD:
            self.page.keyboard.up(key)


@pytest.fixture(scope="module")
def desk(user: TestUser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with ExitStack() as stack:
        session = start_agent(user, body={"keyboard": "kr"}, env=settings(user))
        stack.callback(session.close)
        session.wait_running()
        form = DASHBOARD.replace("PORT", str(session.gateway.port)).replace("TOKEN", session.token)
        front = stack.enter_context(Front({"/pun/sys/dashboard": form}))
        browser = stack.enter_context(chromium())
        context = stack.enter_context(person(browser, ignore_https_errors=True))
        desk = Desk(session, context, front.url, tmp_path_factory.mktemp("heard") / "xev")
        stack.callback(desk.listener.close)
        yield desk


def some(layout: str, part: int) -> list[Stroke]:
    """Symbols of a layout that are no letters and digits of the USA's, other ones in each part."""
    usual = {(s.code, s.level, s.text) for s in strokes("us")}
    own = [s for s in strokes(layout) if (s.code, s.level, s.text) not in usual or s.after]
    own = own or strokes(layout)
    step = max(1, len(own) // _FEW)
    return own[part % step :: step]


def test_every_layout_writes_what_its_keys_say(desk: Desk) -> None:
    rows = []
    for number, layout in enumerate(LAYOUTS):
        desk.layout(layout)
        told = [
            (system, strokes(layout) if _WRITES else some(layout, number + part))
            for part, system in enumerate(SYSTEMS)
        ]
        known = [
            s for s in strokes(layout) if not s.after and s.code not in table.UNKNOWN_TO_SUNSHINE
        ]
        keys = known if _WRITES else known[number % 9 :: 9]
        rows.append(table.layout_row(layout, desk.browser(*told), desk.sunshine(layout, keys)))
    if _WRITES:
        table.write("layouts", rows)
    assert rows == table.rows("layouts")


def test_every_keyboard_writes_on_a_desktop_that_has_another_layout(desk: Desk) -> None:
    desk.layout("us")
    told = [
        ("Linux", strokes(layout) if _WRITES else some(layout, number)[:2])
        for number, layout in enumerate(LAYOUTS)
    ]
    assert not desk.browser(*told)


def test_other_keys_arrive_as_what_they_are(desk: Desk) -> None:
    desk.layout("kr")
    rows = []
    for name, (key, code) in KEYS.items():
        pad = {"location": 3} if code.startswith("Numpad") else {}
        play_events(desk.client, [*press(key, code, **pad), *press(_LAST, _LAST)])
        came = [f"`{k.name}`" for k in desk.listener.until(_LAST)]
        rows.append(table.key_row(name, " ".join(came) or "no key: the letters arrive as capitals"))
    if _WRITES:
        table.write("keys", rows)
    assert rows == table.rows("keys")


def test_korean_is_written_on_the_desktop_and_in_the_browser_once(
    desk: Desk, user: TestUser
) -> None:
    written = user.home / "hangul.txt"
    terminal = desk.listener.start(["xterm", "-u8", "-e", "sh", "-c", f"cat >{written}"])
    try:
        wait_for(written.exists)

        def lines() -> list[str]:
            return written.read_text().splitlines()

        def line(number: int) -> str:
            desk.page.keyboard.press("Enter")
            wait_for(lambda: written.read_text().count("\n") >= number)
            return lines()[-1]

        # What is typed before the terminal is in front is lost; then all that was typed is there before the
        # last word.
        wait_for(lambda: desk.page.keyboard.type("ab\n") or "ab" in lines(), interval=0.5)
        desk.page.keyboard.type("ef\n")
        wait_for(lambda: "ef" in lines())
        number = len(lines())
        # By the desktop's own input method, which its keys switch on and off. Each on a line of its own:
        # fcitx5 may lose a letter that comes within milliseconds of the key that ends a syllable.
        for text in ("안녕", "dkssud"):
            number += 1
            play_events(desk.client, press(*KEYS["Hangul"]))
            desk.page.keyboard.type("dkssud")
            assert line(number) == text
        # By that of the browser's system.
        cdp = desk.context.new_cdp_session(desk.page)
        for steps in ("ㅎ하한", "ㄱ그글", "ㅇ이입", "ㄹ려력"):
            for step in steps:
                told = {"text": step, "selectionStart": 1, "selectionEnd": 1}
                cdp.send("Input.imeSetComposition", told)
            cdp.send("Input.insertText", {"text": steps[-1]})
        assert line(number + 1) == "한글입력"
        for step in ("に", "にほ", "にほん", "日本"):
            told = {"text": step, "selectionStart": len(step), "selectionEnd": len(step)}
            cdp.send("Input.imeSetComposition", told)
        cdp.send("Input.insertText", {"text": "日本"})
        assert line(number + 2) == "日本"
    finally:
        terminal.terminate()
        terminal.wait()


def test_keys_that_are_held_do_not_stay_down_when_the_page_goes(desk: Desk) -> None:
    desk.hold()
    desk.page.get_by_role("navigation").get_by_role("button").first.focus()
    wait_for(lambda: not desk.keys_down())
    desk.let_go()
    desk.page.locator(FRAME).focus()
    desk.hold()
    desk.page.reload()
    wait_for(lambda: not desk.keys_down())
    desk.let_go()
    desk.begin()
    wait_for(lambda: desk.page.keyboard.down("Control") or desk.keys_down())
    desk.page.close()
    wait_for(lambda: not desk.keys_down())
