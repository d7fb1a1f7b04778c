"""What XFCE's window manager finds in a home that has no settings of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from moonlight_spawner.agent.desktop.xfce import write_defaults, write_first_settings
from moonlight_spawner.agent.display.xclient import window_manager_present

from tests.support.waiting import PATIENCE, wait_until

from .bare_x import Server

CHANNEL = "xfce4/xfconf/xfce-perchannel-xml/xfwm4.xml"
SITE = """<?xml version="1.0" encoding="UTF-8"?><channel name="xfwm4" version="1.0">
<property name="general" type="empty"><property name="workspace_count" type="int" value="7"/>
</property></channel>"""


@pytest.fixture
def surroundings(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A home with nothing in it, a site's own settings, and a D-Bus."""
    site = tmp_path / "site" / CHANNEL
    site.parent.mkdir(parents=True)
    site.write_text(SITE)
    path = os.environ["PATH"]
    last = write_first_settings(tmp_path / "last", path)
    assert last
    places = [write_defaults(tmp_path / "xdg"), tmp_path / "site", last]
    bus = tmp_path / "bus"
    env = {
        "PATH": path,
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_DIRS": os.pathsep.join(map(str, places)),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
        "NO_AT_BRIDGE": "1",
    }
    for name in ("home", "run"):
        (tmp_path / name).mkdir(mode=0o700)
    env["XDG_RUNTIME_DIR"] = str(tmp_path / "run")
    argv = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={bus}"]
    with subprocess.Popen(argv, env=env, stderr=subprocess.DEVNULL) as daemon:
        try:
            assert wait_until(bus.exists)
            yield env
        finally:
            daemon.terminate()


def settings(env: dict[str, str], *arguments: str) -> str:
    argv = ["xfconf-query", "--channel", "xfwm4", *arguments]
    done = subprocess.run(
        argv, env=env, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    return done.stdout.strip()


def test_they_are_those_of_its_own_file_and_a_sites_count_before(
    surroundings: dict[str, str],
) -> None:
    lines = Path("/usr/share/xfwm4/defaults").read_text().splitlines()
    own = dict(line.split("=", 1) for line in lines if "=" in line)
    listed = settings(surroundings, "--list", "--verbose").splitlines()
    found = dict(line.split(None, 1) for line in listed)
    expected = {f"/general/{name}": value for name, value in own.items()}
    # Ours, of every session, and the site's.
    changed = {"/general/use_compositing": "false", "/general/workspace_count": "7"}
    assert found == {**expected, **changed}


def test_it_writes_none_of_them_and_reads_its_theme_once(surroundings: dict[str, str]) -> None:
    server = Server()
    env = {**surroundings, "DISPLAY": server.display}
    written = Path(env["HOME"], ".config", CHANNEL)
    try:
        with subprocess.Popen(["xfwm4"], env=env, stderr=subprocess.DEVNULL) as manager:
            try:
                assert wait_until(lambda: window_manager_present(server.screen))
                settings(env, "--property", "/general/snap_width", "--set", "11")
            finally:
                manager.terminate()
    finally:
        server.end()
    # xfconf's own program writes what it has been told when it ends.
    asked = ["dbus-send", "--session", "--print-reply=literal", "--dest=org.freedesktop.DBus"]
    asked += ["/", "org.freedesktop.DBus.GetConnectionUnixProcessID", "string:org.xfce.Xfconf"]
    said = subprocess.run(asked, env=env, capture_output=True, text=True, check=True).stdout
    os.kill(int(said.split()[-1]), signal.SIGTERM)

    def names() -> set[str]:
        try:
            found = ElementTree.parse(written).iter("property")
        except (FileNotFoundError, ElementTree.ParseError):
            return set()
        # What has been set there: what is known of other places stands beside it, empty.
        return {each.get("name", "") for each in found if each.get("type") != "empty"}

    assert wait_until(lambda: "snap_width" in names())
    assert names() == {"snap_width"}
