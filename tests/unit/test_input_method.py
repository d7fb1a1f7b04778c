"""Who gets an input method, and which, by the script's own doing with programs that only tell of it."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from moonlight_spawner.agent.desktop import input_method
from moonlight_spawner.agent.desktop.input_method import input_language

_TOOLS = ["sh", "env", "mkdir", "grep", "sed", "cat"]
_OWN = """[Groups/0]
Name=Default
Default Layout=de
DefaultIM=mozc

[Groups/0/Items/0]
Name=keyboard-de
Layout=

[Groups/0/Items/1]
Name=mozc
Layout=

[GroupOrder]
0=Default
"""


@pytest.mark.parametrize(
    ("layout", "env", "language"),
    [
        ("us", {"LANG": "C.UTF-8"}, ""),
        ("de(nodeadkeys)", {"LANG": "de_DE.UTF-8"}, ""),
        ("kr", {"LANG": "C.UTF-8"}, "ko"),
        ("kr(kr104)", {}, "ko"),
        ("jp", {"LANG": "ko_KR.UTF-8"}, "ja"),
        ("cn", {}, "zh"),
        ("tw", {}, "zh_TW"),
        ("us", {"LANG": "ko_KR.UTF-8"}, "ko"),
        ("us", {"LANG": "en_US.UTF-8", "LC_CTYPE": "ja_JP.eucJP"}, "ja"),
        ("us", {"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, ""),
        ("us", {"LANG": "zh_TW.UTF-8"}, "zh_TW"),
        ("us", {"LANG": "zh_CN.GB18030@x"}, "zh"),
    ],
)
def test_the_language_is_that_of_the_keyboard_else_of_the_locale(
    layout: str, env: dict[str, str], language: str
) -> None:
    assert input_language(layout, env) == language


class Place:
    """A machine with these programs and these files for data."""

    def __init__(self, root: Path):
        self.root = root
        self.programs = root / "bin"
        self.programs.mkdir()
        for tool in _TOOLS:
            found = shutil.which(tool)
            assert found
            (self.programs / tool).symlink_to(found)
        (root / "run").mkdir()
        script = Path(input_method.__file__).with_suffix(".sh")
        self.script = shutil.copy(script, root / "run" / "input_method.sh")

    def has(self, program: str, *data: str, says: str = "") -> Place:
        path = self.programs / program
        path.write_text(f'#!/bin/sh\necho "{program} $*" >>"{self.root}/begun"\n{says}\n')
        path.chmod(0o755)
        for name in data:
            file = self.root / "share" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return self

    def run(self, language: str, **env: str) -> dict[str, str]:
        """The environment of the desktop."""
        given = {
            "PATH": str(self.programs),
            "HOME": str(self.root),
            "XDG_DATA_DIRS": f"/nowhere:{self.root / 'share'}",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/bus",
        } | env
        # What was begun is waited for, too: it has the other end of the pipe.
        argv = ["/bin/sh", str(self.script), language, "sh", "-c", "env"]
        told = subprocess.run(argv, env=given, capture_output=True, text=True, check=True)
        assert not told.stderr
        return dict(line.split("=", 1) for line in told.stdout.splitlines() if "=" in line)

    @property
    def begun(self) -> list[str]:
        path = self.root / "begun"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _profile(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string(path.read_text())
    return parser


def test_where_there_is_none_the_desktop_is_all(place: Place) -> None:
    assert "XMODIFIERS" not in place.run("ko")
    place.has("fcitx5", "fcitx5/inputmethod/anthy.conf")
    assert "XMODIFIERS" not in place.run("ko"), "it cannot write Korean"
    assert not place.begun


def test_fcitx5_begins_with_the_best_that_it_has_and_leaves_the_layout(place: Place) -> None:
    data = ("anthy", "hangul", "mozc", "pinyin")
    place.has("fcitx5", *(f"fcitx5/inputmethod/{name}.conf" for name in data))
    place.has("ibus-daemon", "ibus/component/anthy.xml")
    env = place.run("ja")
    assert place.begun == ["fcitx5 "]
    assert env["XMODIFIERS"] == "@im=fcitx"
    assert env["GTK_IM_MODULE"] in ("fcitx", "xim") and env["QT_IM_MODULE"] in ("fcitx", "ibus")
    defaults = place.root / "run/xdg/fcitx5"
    profile = _profile(defaults / "profile")
    assert profile["Groups/0"]["DefaultIM"] == profile["Groups/0/Items/1"]["Name"] == "mozc"
    assert "Overriding System XKB Settings=False" in (defaults / "conf/xcb.conf").read_text()


def test_a_profile_of_the_users_own_gets_the_language_once_and_stays_his(place: Place) -> None:
    place.has("fcitx5", "fcitx5/inputmethod/hangul.conf")
    own = place.root / ".config/fcitx5/profile"
    own.parent.mkdir(parents=True)
    own.write_text(_OWN)
    for _ in range(2):
        place.run("ko")
    profile = _profile(own)
    assert profile["Groups/0"]["DefaultIM"] == profile["Groups/0/Items/2"]["Name"] == "hangul"
    assert profile["Groups/0"]["Default Layout"] == "de"
    assert own.read_text().count("Name=hangul") == 1


def test_ibus_begins_where_fcitx5_is_not_and_a_users_settings_stay(place: Place) -> None:
    place.has("ibus-daemon", "ibus/component/hangul.xml")
    place.has("gsettings", says="[ \"$1\" = set ] || echo '@as []'")
    env = place.run("ko")
    assert (env["XMODIFIERS"], env["MOONLIGHT_ENGINE"]) == ("@im=ibus", "hangul")
    assert "ibus-daemon --xim" in place.begun
    assert any("preload-engines ['xkb:us::eng', 'hangul']" in line for line in place.begun)
    place.has("gsettings", says="[ \"$1\" = set ] || echo \"['hangul', 'anthy']\"")
    (place.root / "begun").unlink()
    place.run("ko")
    assert [line for line in place.begun if " set " in line] == [
        "gsettings set org.freedesktop.ibus.general use-system-keyboard-layout true"
    ]


def test_gnome_begins_ibus_by_itself(place: Place) -> None:
    place.has("ibus-daemon", "ibus/component/hangul.xml").has("gnome-shell")
    assert place.run("ko")["MOONLIGHT_ENGINE"] == "hangul"
    assert not place.begun


def test_who_has_set_his_own_keeps_it(place: Place) -> None:
    place.has("fcitx5", "fcitx5/inputmethod/hangul.conf")
    assert place.run("ko", XMODIFIERS="@im=uim")["XMODIFIERS"] == "@im=uim"
    assert not place.begun


def test_without_a_bus_it_brings_one(place: Place) -> None:
    place.has("dbus-run-session", says='shift; DBUS_SESSION_BUS_ADDRESS=own exec "$@"')
    env = place.run("ko", DBUS_SESSION_BUS_ADDRESS="")
    assert place.begun == [f"dbus-run-session -- /bin/sh {place.script} ko sh -c env"]
    assert env["DBUS_SESSION_BUS_ADDRESS"] == "own"
