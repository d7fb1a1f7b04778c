"""Kernel devices or XTest: the real one logs neither (source: libvirtualhid)."""

from __future__ import annotations

from pathlib import Path

import pytest

from .client_stream import Stream
from .sunshine_running import sunshine

_NONE = "Warning: No gamepad input is available"
_WHY = "is disabled due to gamepads.virtualhid-not-available"


def _places(tmp_path: Path) -> dict[str, str]:
    names = {"UINPUT": "uinput", "UHID": "uhid"}
    return {f"STANDIN_SUNSHINE_{knob}": str(tmp_path / name) for knob, name in names.items()}


def test_without_devices_it_says_that_there_are_no_gamepads(tmp_path: Path) -> None:
    """no-display.txt; keyboard and mouse go to X then."""
    with sunshine(tmp_path, environment=_places(tmp_path)) as host:
        assert len(host.lines(_WHY)) == 8
        assert host.lines(_NONE)


def test_a_uinput_that_can_be_written_is_taken_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "uinput").touch()
    with sunshine(tmp_path, environment=_places(tmp_path)) as host:
        made = (tmp_path / "uinput").read_text().splitlines()
        assert made == ["libvirtualhid Keyboard", "libvirtualhid Mouse"]
        assert not host.lines(_WHY) and not host.lines(_NONE)
        client = host.client()
        host.pair(client)
        stream = Stream(client.launch(client.apps()[0].id))
        stream.start()
        made = (tmp_path / "uinput").read_text().splitlines()
        assert made[2:] == ["libvirtualhid Touchscreen", "libvirtualhid Pen Tablet"]
        stream.stop()


@pytest.mark.parametrize("name", ["uinput", "uhid"])
def test_either_device_ends_the_warnings(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with sunshine(tmp_path, environment=_places(tmp_path)) as host:
        assert not host.lines(_NONE)
    assert (tmp_path / name).read_text().count("\n") == (2 if name == "uinput" else 0)


def test_dev_null_in_its_place_is_no_device_but_looks_like_one(tmp_path: Path) -> None:
    """What a private name space may put over it: XTest, and a warning for each client."""
    (tmp_path / "uinput").symlink_to("/dev/null")
    with sunshine(tmp_path, environment=_places(tmp_path)) as host:
        assert not host.lines(_NONE)
        client = host.client()
        host.pair(client)
        stream = Stream(client.launch(client.apps()[0].id))
        stream.start()
        said = [line.split("Warning: ")[1] for line in host.lines("create libvirtualhid")]
        assert said == [
            f"create libvirtualhid {device}: failed to create uinput device {number}: "
            "Inappropriate ioctl for device"
            for number, device in ((3, "touchscreen"), (4, "pen tablet"))
        ]
        stream.stop()
