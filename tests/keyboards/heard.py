"""What of a keyboard reaches a program on the desktop: xev, which tells of each key."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.agent.sessions import AgentSession
from tests.support.waiting import wait_for

_EVENT = re.compile(
    r"^Key(?P<kind>Press|Release) event.*?time (?P<time>\d+),.*?"
    r"keycode (?P<keycode>\d+) \(keysym 0x[0-9a-f]+, (?P<name>\w+)\)",
    re.DOTALL,
)
_TEXT = re.compile(r"XmbLookupString gives \d+ bytes: \(([0-9a-f ]+)\)")
_REPEATS_AFTER_MS = 200
_MODIFIERS = {
    "Shift_L",
    "Shift_R",
    "ISO_Level3_Shift",
    "Control_L",
    "Alt_L",
    "Alt_R",
    "Mode_switch",
}


@dataclass(frozen=True)
class Key:
    """One press as a program sees it."""

    name: str
    text: str


class Listener:
    """An xev on a session's desktop, with the keyboard's focus."""

    def __init__(self, session: AgentSession, log: Path):
        self._log = log
        self.env = session.desktop_environment()
        self._uid = session.user.uid
        # As the keys are, before an input method makes anything of them.
        plain = ["env", "XMODIFIERS=@im=none", "stdbuf", "-oL", "xev", "-event", "keyboard"]
        with log.open("w") as out:
            self._process = self.start(plain, out)
        self._read = 0

    def _as_user(self, argv: list[str]) -> list[str]:
        return ["setpriv", f"--reuid={self._uid}", "--clear-groups", *argv]

    def start(self, argv: list[str], out: IO[str] | None = None) -> subprocess.Popen[bytes]:
        """A program of the user's on his desktop."""
        return subprocess.Popen(self._as_user(argv), env=self.env, stdout=out)

    def run(self, argv: list[str]) -> None:
        """One that ends by itself."""
        done = subprocess.run(self._as_user(argv), env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def until(self, last: str) -> list[Key]:
        """The keys since the last call, up to the one of this name; without it and without modifiers."""
        keys: list[Key] = []
        end = 0

        def there() -> bool:
            nonlocal end
            text = self._log.read_text()
            end = len(text)
            keys[:] = _pressed(text[self._read :])
            return any(key.name == last for key in keys)

        wait_for(there, interval=0.02)
        self._read = end
        return [key for key in keys if key.name != last and key.name not in _MODIFIERS]

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def _pressed(text: str) -> list[Key]:
    """In their order. A key that repeats because its release comes late, on a machine with much to do, is
    one: X lets it go and presses it in the same millisecond, long after it was pressed."""
    keys = []
    pressed: dict[str, int] = {}  # when, by keycode
    released = ("", 0)
    for told in text.split("\n\n"):
        event = _EVENT.match(told.strip())
        if event is None or "XFilterEvent" not in told:  # it may have told half of it yet
            continue
        keycode, time = event["keycode"], int(event["time"])
        if event["kind"] == "Release":
            released = (keycode, time)
            continue
        late = time - pressed.get(keycode, time) > _REPEATS_AFTER_MS
        if not (released == (keycode, time) and late):
            written = _TEXT.search(told)
            text = bytes.fromhex(written[1]).decode("utf-8", "replace") if written else ""
            keys.append(Key(event["name"], text))
            pressed[keycode] = time
        released = ("", 0)
    return keys
