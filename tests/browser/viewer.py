"""The viewer around a desktop's picture, as a person uses it."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.support import axe
from tests.support.chromium import changed, keep, white
from tests.support.waiting import PATIENCE, wait_for, wait_until

from .desktop import type_command, wait_for_desktop

FRAME = "[data-testid=desktop-frame]"
expect.set_options(timeout=PATIENCE * 1000)
_WINDOW = 0.1  # of the picture: a terminal

# Lists of files stay on their way until they are released, as over a slow network.
_HOLD_LISTS = """() => {
  const { fetch } = window;
  const released = new Promise((release) => (window.releaseLists = release));
  window.fetch = async (...asked) => {
    const answer = await fetch(...asked);
    if (String(asked[0]).includes('/files/list')) {
      window.listsHeld = true;
      await released;
    }
    return answer;
  };
}"""


# A file of a megabyte, dragged onto the picture.
DROP = """(picture, name) => {
  const bytes = new Uint8Array(2 ** 20).map((_, i) => i % 256);
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name));
  for (const kind of ['dragenter', 'dragover', 'drop']) {
    const init = { dataTransfer, bubbles: true, cancelable: true };
    picture.dispatchEvent(new DragEvent(kind, init));
  }
}"""


def use_the_bar(page: Page) -> None:
    """It opens under the pointer without doing anything; the keyboard leads there and back."""
    inner = page.frame_locator(FRAME)
    expect(inner.locator("#overlayInput")).to_have_count(1)
    expect(inner.locator("#dashboard-root, .sidebar")).to_have_count(0)
    bar = page.get_by_role("navigation", name="Desktop tools")
    tools = bar.locator(".tools")
    page.mouse.move(640, 600)
    expect(tools).to_be_hidden()
    page.mouse.move(640, 3)
    expect(tools).to_be_visible()
    page.mouse.click(640, 3)  # where the handle was is the handle still
    assert page.locator("dialog").count() == 0 and not page.evaluate("document.fullscreenElement")
    page.mouse.move(640, 600)
    expect(tools).to_be_hidden()

    page.locator(FRAME).focus()
    page.keyboard.press("Control+Alt+Shift+M")
    expect(bar.get_by_role("button", name="Hide the desktop tools")).to_be_focused()
    page.keyboard.press("Tab")
    expect(bar.get_by_test_id("full-screen")).to_be_focused()
    page.keyboard.press("Escape")
    expect(tools).to_be_hidden()
    expect(page.locator(FRAME)).to_be_focused()


def open_tool(page: Page, name: str) -> None:
    page.locator(FRAME).focus()
    page.keyboard.press("Control+Alt+Shift+M")
    page.get_by_test_id(name).click()
    page.get_by_role("dialog").wait_for()


def close_tool(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def change_the_picture(page: Page) -> None:
    """Another size while it runs, and back to that of the window."""

    def has(width: int, height: int) -> bool:
        return _came(page) == [width, height]

    assert wait_until(lambda: has(1280, 800), interval=0.2), "not the window's size"
    open_tool(page, "settings")
    page.get_by_test_id("size").select_option("1600x900")
    assert wait_until(lambda: has(1600, 900), interval=0.2), "not the size that was chosen"
    page.get_by_test_id("scaling").select_option("exact")
    page.get_by_test_id("scaling").select_option("fit")
    page.get_by_test_id("quality").select_option("low")
    page.get_by_test_id("fps").select_option("15")
    keep(page, "viewer-settings")
    page.get_by_test_id("size").select_option("window")
    assert wait_until(lambda: has(1280, 800), interval=0.2), "not the window's size again"
    close_tool(page)
    stored = page.evaluate("JSON.parse(localStorage.getItem('moonlight:viewer'))")
    assert (stored["quality"], stored["fps"]) == ("low", 15)


def _came(page: Page) -> list[int]:
    """The size of the picture that came, not of the one that was asked for; of none, zeros."""
    video = page.frame_locator(FRAME).locator("#videoStream")
    size: list[int] = video.evaluate("(v) => [v.videoWidth, v.videoHeight]")
    return size


def send_keys_that_browsers_keep(page: Page) -> None:
    """Ctrl+Alt+T opens a terminal on XFCE."""
    open_tool(page, "keys")
    before = page.screenshot()
    page.get_by_test_id("key-terminal").click()
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("Sent: Ctrl + Alt + T")
    close_tool(page)
    assert wait_until(lambda: changed(before, page.screenshot()) > _WINDOW, interval=0.2)


def carry_files(page: Page, home: Path) -> None:
    """Into a folder of the user's choice, with their progress and by a drop onto the picture; and back."""
    open_tool(page, "files")
    expect(page.locator(".fetchable")).to_have_attribute("aria-busy", "false")
    page.get_by_test_id("new-folder").click()
    page.get_by_label("Name of the new folder").fill("유동 해석")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="유동 해석")).to_have_attribute(
        "aria-current", "location"
    )
    page.evaluate(_HOLD_LISTS)
    _send(page, "자료 1.txt")
    wait_for(lambda: page.evaluate("window.listsHeld"), interval=0.05)  # the page allows no eval
    _send(page, "second.txt")  # while the list with the first one is on its way
    page.evaluate("window.releaseLists()")
    entries = page.get_by_test_id("entries")
    expect(entries.get_by_role("button", name="Fetch second.txt")).to_be_visible()
    folder = home / "Desktop" / "유동 해석"
    assert (folder / "자료 1.txt").read_bytes() == b"forty-two"
    with page.expect_download() as fetched:
        entries.get_by_role("button", name="Fetch 자료 1.txt").click()
    assert fetched.value.suggested_filename == "자료 1.txt"
    assert Path(fetched.value.path()).read_bytes() == b"forty-two"
    keep(page, "viewer-files")
    close_tool(page)
    page.frame_locator(FRAME).locator("#overlayInput").evaluate(DROP, "dropped.bin")
    expect(page.get_by_test_id("transfers").locator("li").first).to_contain_text("dropped.bin")
    wait_for((folder / "dropped.bin").exists)  # under its name only when all of it is there
    assert (folder / "dropped.bin").read_bytes() == bytes(range(256)) * 4096
    assert sorted(path.name for path in folder.iterdir()) == [
        "dropped.bin",
        "second.txt",
        "자료 1.txt",
    ]


def _send(page: Page, name: str) -> None:
    with page.expect_file_chooser() as asked:
        page.get_by_test_id("upload").click()
    asked.value.set_files({"name": name, "mimeType": "text/plain", "buffer": b"forty-two"})
    came = page.get_by_test_id("transfers").last.locator("li", has_text=name)
    expect(came).to_contain_text("arrived")


def look_at_the_connection(page: Page) -> None:
    open_tool(page, "connection")
    verdict = page.get_by_test_id("verdict")
    expect(verdict).not_to_have_attribute("data-verdict", "unknown")
    facts = page.get_by_role("dialog").locator(".facts")
    expect(facts).to_contain_text("264")  # x264, H.264
    expect(facts).to_contain_text("by CPU")
    expect(facts).to_contain_text(re.compile(r"Delay\s*\d+ ms"))
    expect(page.get_by_role("img", name=re.compile("Bandwidth over the last"))).to_be_visible()
    keep(page, "viewer-connection")
    close_tool(page)


def show_it_in_two_windows(context: BrowserContext, first: Page) -> Page:
    """The second takes the picture, the first gets it when asked for, the second when the first
    goes: that one is left."""
    second = context.new_page()
    second.goto(first.url)
    wait_for_desktop(second)
    elsewhere = first.get_by_test_id("elsewhere")
    elsewhere.wait_for()
    assert "shown in another window" in elsewhere.inner_text()
    keep(first, "viewer-elsewhere")
    axe.check(first, "elsewhere")
    first.bring_to_front()
    first.get_by_test_id("use-here").click()
    wait_for_desktop(first)
    second.get_by_test_id("elsewhere").wait_for()
    first.close()
    second.bring_to_front()
    wait_for_desktop(second)
    return second


def add_a_screen(context: BrowserContext, first: Page, home: Path) -> None:
    """It stands to the right of the first, what is moved there is seen there, and when it is closed
    the desktop has its own size again."""
    told = home / "screens"
    (home / "tell-screens").write_text(_TELL_SCREENS)
    type_command(first, "sh ~/tell-screens & xterm -geometry 100x30+300+300 &", told)

    def has(width: int, height: int, monitors: int) -> bool:
        words = told.read_text()
        return f"current {width} x {height}" in words and f"Monitors: {monitors}" in words

    with context.expect_page() as opened:
        _press(first, "add-screen")
    second = opened.value
    assert wait_until(lambda: has(2560, 800, 2), interval=0.2), told.read_text()

    def seen() -> bool:
        return white(second.screenshot()) > _WINDOW  # the desktop has nothing there

    # Drawn over the first one's edge by its title.
    assert wait_until(lambda: _dragged(first, (360, 314), (1270, 330)) and seen()), "not seen there"
    second.bring_to_front()
    second.mouse.click(300, 500)
    second.keyboard.type("echo second > ~/on-second\n", delay=15)
    assert wait_until((home / "on-second").exists, interval=0.2)
    keep(second, "viewer-second-screen")
    # Either one loaded anew finds the other beside it again. A page that is hidden draws no picture.
    (home / "put-one-there").touch()
    second.reload()
    second.locator(FRAME).wait_for()
    assert wait_until(lambda: has(2560, 800, 2) and seen(), interval=0.2), told.read_text()
    first.bring_to_front()
    first.reload()
    wait_for_desktop(first)
    assert wait_until(lambda: has(2560, 800, 2), interval=0.2), told.read_text()
    # Another computer has the desktop whole; what was shown here comes back when that goes.
    elsewhere = context.new_page()
    elsewhere.goto(first.url)
    wait_for_desktop(elsewhere)
    second.get_by_test_id("no-first-screen").wait_for()
    axe.check(second, "no-first-screen")
    assert wait_until(lambda: has(1280, 800, 1), interval=0.2), told.read_text()
    elsewhere.close()
    first.bring_to_front()
    wait_for_desktop(first)
    assert wait_until(lambda: has(2560, 800, 2), interval=0.2), told.read_text()
    with second.expect_event("close"):
        _press(second, "close-screen")
    assert wait_until(lambda: has(1280, 800, 1), interval=0.2), told.read_text()
    (home / "screens-told").touch()
    first.bring_to_front()


def _dragged(page: Page, start: tuple[int, int], end: tuple[int, int]) -> bool:
    page.bring_to_front()
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=12)
    page.mouse.up()
    return True


# Again and again, because a desktop that is asked by typing has to be in front. And a window for the
# second screen whenever there is one: that which was there moves to the first one when it goes.
_TELL_SCREENS = """\
while ! [ -e ~/screens-told ] && sleep 0.3; do
  monitors=$(xrandr --listmonitors)
  (xrandr | head -1; echo "$monitors") > ~/.screens
  mv ~/.screens ~/screens
  [ -e ~/put-one-there ] || continue
  case $monitors in
  "Monitors: 2"*) kill -0 $there || { xterm -geometry 100x30+1380+300 & there=$!; } ;;
  *) kill $there ;;
  esac 2> /dev/null
done
"""


def _press(page: Page, tool: str) -> None:
    page.bring_to_front()
    page.locator(FRAME).focus()
    page.keyboard.press("Control+Alt+Shift+M")
    page.get_by_test_id(tool).click()
