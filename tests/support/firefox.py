"""Headless Firefox, driven by WebDriver BiDi, which it speaks itself.

Playwright has a Firefox of its own and speaks to no other for long; geckodriver is in no package of
Debian's. What a person does needs a dozen of BiDi's commands (https://w3c.github.io/webdriver-bidi/).
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.chromium import ARTIFACTS
from tests.support.waiting import GRACE, PATIENCE, wait_for

_SPEAKS = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")
# Of the keys that have no character of their own (WebDriver, "Keyboard actions").
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Control": "\ue009", "Alt": "\ue00a"}
_PREFERENCES = """
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,#remote-settings-dummy/v1");
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("browser.safebrowsing.blockedURIs.enabled", false);
"""


class Firefox:
    """A browser with a profile of its own."""

    def __init__(self, socket: ClientConnection):
        self._socket = socket
        self._ids = itertools.count(1)

    def call(self, method: str, **params: Any) -> Any:
        """The result of a command; AssertionError with Firefox's words when it refuses."""
        asked = next(self._ids)
        self._socket.send(json.dumps({"id": asked, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv(PATIENCE))
            if said.get("id") == asked:
                assert said["type"] == "success", f"{method}: {said['error']}: {said['message']}"
                return said["result"]

    def tabs(self) -> list[str]:
        return [tree["context"] for tree in self.call("browsingContext.getTree")["contexts"]]

    def open(self) -> Tab:
        """A new tab, with the size that the tests' Chromium has."""
        tab = Tab(self, self.call("browsingContext.create", type="tab")["context"])
        tab.call("browsingContext.setViewport", viewport={"width": 1280, "height": 800})
        return tab

    def opened(self, known: list[str]) -> Tab:
        """The tab that a page has opened since ``known`` were all."""
        wait_for(lambda: set(self.tabs()) - set(known))
        [new] = set(self.tabs()) - set(known)
        tab = Tab(self, new)
        tab.call("browsingContext.setViewport", viewport={"width": 1280, "height": 800})
        return tab

    def allow_notifications(self, origin: str) -> None:
        self.call(
            "permissions.setPermission",
            descriptor={"name": "notifications"},
            state="granted",
            origin=origin,
        )


class Tab:
    """A page, as its user sees it. Elements are named by CSS selectors."""

    def __init__(self, firefox: Firefox, context: str):
        self._firefox = firefox
        self.context = context

    def call(self, method: str, **params: Any) -> Any:
        return self._firefox.call(method, context=self.context, **params)

    def goto(self, url: str) -> None:
        self.call("browsingContext.navigate", url=url, wait="complete")

    def activate(self) -> None:
        self.call("browsingContext.activate")

    def js(self, expression: str) -> Any:
        """The value of an expression: text, a number, a truth or null."""
        said = self._firefox.call(
            "script.evaluate",
            expression=expression,
            target={"context": self.context},
            awaitPromise=True,
        )
        assert said["type"] == "success", f"{expression}: {said['exceptionDetails']['text']}"
        return said["result"].get("value")

    def wait(self, expression: str) -> Any:
        """Until it is true, on whatever page is there then."""
        try:
            return wait_for(lambda: self._quietly(expression), interval=0.1)
        except AssertionError as e:
            self.keep("firefox-failed")
            raise AssertionError(f"{expression} did not become true") from e

    def _quietly(self, expression: str) -> Any:
        try:
            return self.js(expression)
        except AssertionError:  # a page that is just being left
            return None

    def wait_text(self, selector: str, text: str) -> None:
        chosen, wanted = json.dumps(selector), json.dumps(text)
        self.wait(
            f"[...document.querySelectorAll({chosen})].some(e => e.innerText.includes({wanted}))"
        )

    def click(self, selector: str, text: str = "") -> None:
        """With the pointer, in the middle of the first such element that has the text."""
        chosen, wanted = json.dumps(selector), json.dumps(text)
        place = self.wait(f"""(() => {{
          const found = [...document.querySelectorAll({chosen})].find(
            (e) => e.innerText.includes({wanted}));
          found?.scrollIntoView({{block: 'center'}});
          const box = found?.getBoundingClientRect();
          return box?.width && `${{box.x + box.width / 2}} ${{box.y + box.height / 2}}`;
        }})()""")
        x, y = (int(float(number)) for number in place.split())
        self.click_at(x, y)

    def click_at(self, x: int, y: int) -> None:
        self._act(
            "pointer",
            [
                {"type": "pointerMove", "x": x, "y": y},
                {"type": "pointerDown", "button": 0},
                {"type": "pointerUp", "button": 0},
            ],
        )

    def press(self, *keys: str) -> None:
        """All together, as Control, Alt and t."""
        values = [KEYS.get(key, key) for key in keys]
        down = [{"type": "keyDown", "value": value} for value in values]
        self._act("key", [*down, *({"type": "keyUp", "value": v} for v in reversed(values))])

    def type(self, text: str) -> None:
        for sign in text:
            self.press("Enter" if sign == "\n" else sign)

    def _act(self, device: str, actions: list[dict[str, Any]]) -> None:
        source = {"type": device, "id": device, "actions": actions}
        self.call("input.performActions", actions=[source])

    def screenshot(self) -> bytes:
        return base64.b64decode(self.call("browsingContext.captureScreenshot")["data"])

    def keep(self, name: str) -> bytes:
        """Take a screenshot and keep it among the test run's artefacts."""
        ARTIFACTS.mkdir(exist_ok=True)
        picture = self.screenshot()
        (ARTIFACTS / f"{name}.png").write_bytes(picture)
        return picture


def find_firefox(path: str) -> str | None:
    """One in the directories of ``path`` that is a program, and not Ubuntu's script that calls a snap."""
    for name in ("firefox-esr", "firefox"):
        for directory in path.split(os.pathsep):
            found = shutil.which(name, path=directory) if directory else None
            if found and not _leads_to_snap(found):
                return found
    return None


def _leads_to_snap(program: str) -> bool:
    real = os.path.realpath(program)
    with open(real, "rb") as file:
        head = file.read(4096)
    return "/snap/" in program or real.endswith("/snap") or (head[:2] == b"#!" and b"snap" in head)


@contextmanager
def firefox() -> Iterator[Firefox]:
    """Debian's Firefox ESR, or the Firefox that is there."""
    program = find_firefox(os.environ.get("PATH", ""))
    assert program, (
        "Firefox is missing. On Debian run tools/packages test. Ubuntu's packages firefox and firefox-esr "
        "only fetch a snap, which root cannot run without a desktop of its own: add Mozilla's apt "
        "repository, prefer it to Ubuntu's (Pin-Priority: 1000), and install its firefox-esr."
    )
    home = Path(tempfile.mkdtemp(prefix="firefox-"))
    (home / "user.js").write_text(_PREFERENCES)
    argv = [program, "--headless", "--no-remote", "--profile", str(home)]
    log = home / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [*argv, "--remote-debugging-port=0"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "HOME": str(home), "MOZ_CRASHREPORTER_DISABLE": "1"},
        )
    try:
        address = wait_for(
            lambda: _SPEAKS.search(log.read_bytes()) or process.poll() is not None, interval=0.1
        )
        assert isinstance(address, re.Match), f"Firefox did not start:\n{log.read_text()[-2000:]}"
        with connect(f"{address[1].decode()}/session", max_size=None, compression=None) as socket:
            browser = Firefox(socket)
            browser.call("session.new", capabilities={})
            yield browser
            browser.call("browser.close")
    finally:
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(home, ignore_errors=True)
