"""Where input goes: kernel devices or XTest (source: libvirtualhid, uhid_backend.cpp).

A device that can be read and written is taken before XTest, at the start and without a word in the
log. All the log has are the warnings that no gamepad can be made, which come when there is neither
device (no-display.txt, env-failures.txt): a log without them means kernel devices.
"""

from __future__ import annotations

import os
from pathlib import Path

from . import knobs
from .log import Log

_GAMEPADS = ["auto", "generic", "x360", "xone", "xseries", "ds4", "ds5", "switch"]
_AT_START = ["Keyboard", "Mouse"]
_AT_STREAM = {"Touchscreen": "touchscreen", "Pen Tablet": "pen tablet"}
_NULL = os.makedev(1, 3)


class Input:
    """The devices that one process makes."""

    def __init__(self, log: Log):
        self._log = log
        self._made = 0

    def begin(self) -> None:
        for name in _AT_START:
            self._make(name)
        if _usable(knobs.text("UINPUT")) or _usable(knobs.text("UHID")):
            return
        for kind in _GAMEPADS:
            why = "gamepads.virtualhid-not-available"
            self._log.warning(f"Gamepad {kind} is disabled due to {why}")
        self._log.warning("No gamepad input is available")

    def stream(self) -> None:
        """Each client gets a touch screen and a pen, for which there is no XTest."""
        for name, shown in _AT_STREAM.items():
            if why := self._make(name):
                self._log.warning(f"create libvirtualhid {shown}: {why}")

    def _make(self, name: str) -> str:
        """Why it cannot be made, empty if it was, or if nobody tries."""
        path = Path(knobs.text("UINPUT"))
        if not _usable(str(path)):
            return ""
        self._made += 1
        if path.is_file():  # never into a device of the node's kernel
            with path.open("a") as file:
                file.write(f"libvirtualhid {name}\n")
        elif path.stat().st_rdev == _NULL:
            return f"failed to create uinput device {self._made}: Inappropriate ioctl for device"
        return ""


def _usable(path: str) -> bool:
    return os.access(path, os.R_OK | os.W_OK)
