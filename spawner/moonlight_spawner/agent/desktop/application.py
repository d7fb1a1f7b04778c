"""One program in the place of a desktop, with a small window manager around it: its end is the session's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

#: By this variable an image's `moonlight-desktop` finds the settings below.
CONFIGURATION = "MOONLIGHT_OPENBOX"
# Each window fills the screen, and keeps its title: a second one has to be closed, or moved aside.
_OPENBOX = """<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
<theme><titleLayout>LMC</titleLayout></theme>
<desktops><number>1</number></desktops>
<keyboard>
<keybind key="A-Tab"><action name="NextWindow"/></keybind>
<keybind key="A-F4"><action name="Close"/></keybind>
</keyboard>
<mouse>
<context name="Frame">
<mousebind button="A-Left" action="Drag"><action name="Move"/></mousebind>
</context>
<context name="Client">
<mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
</context>
<context name="Titlebar">
<mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind>
<mousebind button="Left" action="Drag"><action name="Move"/></mousebind>
<mousebind button="Left" action="DoubleClick"><action name="ToggleMaximize"/></mousebind>
</context>
<context name="Maximize">
<mousebind button="Left" action="Click"><action name="ToggleMaximize"/></mousebind>
</context>
<context name="Close">
<mousebind button="Left" action="Click"><action name="Close"/></mousebind>
</context>
</mouse>
<applications><application type="normal"><maximized>yes</maximized></application></applications>
</openbox_config>
"""


def write_configuration(directory: Path) -> str:
    """Path of the settings of openbox."""
    path = directory / "openbox.xml"
    path.write_text(_OPENBOX)
    return str(path)


def manager_alone(manager: str, configuration: str) -> list[str]:
    """The command of the window manager, with its settings if it is one that they are for."""
    return [manager, *(["--config-file", configuration] if Path(manager).name == "openbox" else [])]


def beside(manager: Sequence[str], program: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """The program with a window manager beside it, which ends with the program's group."""
    found = shutil.which(program[0], path=env["PATH"]) or program[0]
    script = '"$1" ${2:+"$2" "$3"} & shift 3; exec "$@"'
    words = [*manager, *[""] * (3 - len(manager))]
    return ["/bin/sh", "-c", script, "sh", *words, os.fspath(found), *program[1:]]
