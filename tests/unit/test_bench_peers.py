"""A peer of the benchmark that does not run takes no other's figures with it."""

from __future__ import annotations

import pytest

from bench.desktops import Incumbent
from bench.processes import DidNotStart
from bench.report import Part


def broken() -> None:
    raise DidNotStart("no dbus-launch (Debian: dbus-x11)\nand more of its log")


def test_it_is_left_out_with_the_reason_and_not_tried_again() -> None:
    part = Part("launch")
    tries = []

    def visit() -> None:
        tries.append(1)
        broken()

    for number in range(3):
        part.measure("first picture", "s", False).add("ours", 1.0 + number)
        assert part.with_peer("peer", visit) is None
    assert tries == [1]
    lines = "\n".join(part.lines())
    assert "peer is left out. DidNotStart: no dbus-launch (Debian: dbus-x11)\n" in lines
    assert "ours" in lines and part.as_json()[0]["routes"]["ours"]["median"] == 2.0


def test_one_that_runs_gives_what_it_has() -> None:
    part = Part("browser")
    assert part.with_peer("peer", lambda: 5) == 5
    assert part.left_out == {}


def test_what_the_incumbent_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(DidNotStart, match="vncserver"):
        Incumbent.require()
