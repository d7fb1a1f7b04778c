"""Keyboards as browsers tell of them, key by key, to selkies' client in its frame.

A browser says which symbol a key wrote and which modifiers are down; how it tells of AltGr is different on
each system. Its own events cannot be asked for with AltGr, so these are made in the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from playwright.sync_api import Frame

from .layouts import Stroke

Event = dict[str, Any]
#: By what `navigator.platform` says there.
SYSTEMS = {"Linux": "Linux x86_64", "Windows": "Win32", "macOS": "MacIntel"}
_SHIFT = {"key": "Shift", "code": "ShiftLeft"}
_CONTROL = {"key": "Control", "code": "ControlLeft"}
_ALTGR = {"key": "AltGraph", "code": "AltRight"}
_OPTION = {"key": "Alt", "code": "AltLeft"}
#: What is held for AltGr, and what of it the symbol's own events say.
_LEVEL3: dict[str, tuple[list[Event], Event]] = {
    "Linux": ([_ALTGR], {"modifierAltGraph": True}),
    "Windows": ([_CONTROL, _ALTGR], {"modifierAltGraph": True, "ctrlKey": True, "altKey": True}),
    "macOS": ([_OPTION], {"altKey": True}),
}
# The client believes what it is told only of real events, or of its own with this mark.
_PLAY = """([platform, events]) => {
  Object.defineProperty(navigator, 'platform', { get: () => platform, configurable: true });
  const screen = document.getElementById('overlayInput');
  for (const { type, ...init } of events) {
    const event = new KeyboardEvent(type, { bubbles: true, cancelable: true, ...init });
    event.__selkiesClipReplay = true;
    screen.dispatchEvent(event);
  }
}"""


def press(key: str, code: str, held: str = "", system: str = "Linux", **more: Any) -> list[Event]:
    """Down and up, with what is held around it (Shift, AltGr)."""
    holders, flags = _LEVEL3[system] if "AltGr" in held else ([], {})
    if "Shift" in held:
        holders, flags = [_SHIFT, *holders], {"shiftKey": True, **flags}
    pressed = {"key": key, "code": code, **flags, **more}
    return [
        *({"type": "keydown", **holder, **flags} for holder in holders),
        {"type": "keydown", **pressed},
        {"type": "keyup", **pressed},
        *({"type": "keyup", **holder} for holder in holders),
    ]


def _events(stroke: Stroke, system: str) -> list[Event]:
    """A dead key is told as such, and the letter behind it as what both make."""
    before = [] if stroke.after is None else _events(stroke.after, system)
    key = "Dead" if stroke.dead else stroke.text
    return before + press(key, stroke.code, stroke.held, system)


def play(client: Frame, strokes: Iterable[Stroke], system: str = "Linux") -> None:
    play_events(client, [e for stroke in strokes for e in _events(stroke, system)], system)


def play_events(client: Frame, events: list[Event], system: str = "Linux") -> None:
    client.evaluate(_PLAY, [SYSTEMS[system], events])
