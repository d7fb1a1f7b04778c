"""What XFCE reads of a session: defaults that a user's own settings override."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.sax.saxutils import quoteattr

# Autostarted programs that ask questions, lock or blank the screen, or manage a machine that is
# not the user's.
_NOT_STARTED = [
    "xfce4-power-manager", "light-locker", "xscreensaver", "xfce4-screensaver", "gnome-keyring-ssh",
    "nm-applet", "blueman", "update-notifier", "polkit-gnome-authentication-agent-1",
    "xfce-polkit", "xiccd", "tracker-miner-fs-3", "pulseaudio", "at-spi-dbus-bus",
]  # fmt: skip

_XFCONF = {
    # A saved session would start again in every later job, on other nodes too.
    "xfce4-session": '<property name="general" type="empty">'
    '<property name="SaveOnExit" type="bool" value="false"/></property>',
    # Shadows and fades are pictures to encode for nothing.
    "xfwm4": '<property name="general" type="empty">'
    '<property name="use_compositing" type="bool" value="false"/></property>',
}

# Words in xfwm4's own file that are read as text though they look like a switch.
_TEXTS = ("title_shadow_active", "title_shadow_inactive")


def write_defaults(directory: Path) -> Path:
    """Defaults for XFCE that a user's own settings still override."""
    for channel, properties in _XFCONF.items():
        _write_channel(directory, channel, properties)
    autostart = directory / "autostart"
    autostart.mkdir(exist_ok=True)
    for program in _NOT_STARTED:
        (autostart / f"{program}.desktop").write_text(
            f"[Desktop Entry]\nType=Application\nName={program}\nHidden=true\n"
        )
    return directory


def write_first_settings(directory: Path, path: str) -> Path | None:
    """What xfwm4 would put into a home that has no settings of it, for the last place that is looked at.

    It takes what it finds nowhere from a file of its own, sets it for the user, and hears each as a change of
    his: a dozen times it reads its theme again, for a second, before anything can be on the screen. The
    values here are those of that very file, so what a site or the user has set counts as before; None where
    there is no such file.
    """
    program = shutil.which("xfwm4", path=path)
    if program is None:
        return None
    file = Path(program).resolve().parent.parent / "share" / "xfwm4" / "defaults"
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    pairs = [line.strip().partition("=") for line in lines if "=" in line]
    values = "".join(
        f'<property name={quoteattr(name)} type="{_kind(name, value)}" value={quoteattr(value)}/>'
        for name, _, value in pairs
    )
    _write_channel(directory, "xfwm4", f'<property name="general" type="empty">{values}</property>')
    return directory


def _kind(name: str, value: str) -> str:
    if name in _TEXTS:
        return "string"
    if value in ("true", "false"):
        return "bool"
    return "int" if value.lstrip("-").isdecimal() else "string"


def _write_channel(directory: Path, channel: str, properties: str) -> None:
    channels = directory / "xfce4" / "xfconf" / "xfce-perchannel-xml"
    channels.mkdir(parents=True, exist_ok=True)
    (channels / f"{channel}.xml").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<channel name="{channel}" version="1.0">'
        f"{properties}</channel>\n",
        "utf-8",
    )
