"""The benchmark: peers that do not run, aims, and what its portal has on record."""

from __future__ import annotations

from collections import Counter

import pytest
from moonlight_spawner.model.session import State, may_be_of
from moonlight_spawner.scheduler.slurm_output import parse_squeue
from moonlight_spawner.scheduler.slurm_words import Asked

from bench.desktops import Incumbent
from bench.portal_records import made
from bench.processes import DidNotStart
from bench.report import Aim, Part
from bench.tls_alone import TLSAlone


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


def test_an_aim_may_be_of_a_figure_itself_and_ratios_of_another_route() -> None:
    part = Part("portal")
    for mine, base in ((40.0, 4.0), (44.0, 4.0), (60.0, 5.0), (48.0, 4.0), (46.0, 4.0)):
        measure = part.measure("a list", "ms", False, [Aim("many", "", 50.0)], base="one")
        measure.add("many", mine)
        measure.add("one", base)
    lines = "\n".join(part.lines())
    assert "46.0     11.5 x one (11.0 to 12.0)    aim <= 50 ms: MET" in lines
    told = part.as_json()[0]
    assert told["routes"]["many"]["ratio_to_one"] == 11.5
    assert told["aims"][0]["ratio"] == 46.0 and told["aims"][0]["verdict"] == "met"


def test_a_portals_recorded_jobs_are_those_of_its_sessions() -> None:
    recorded = made(["alice", "bob"], 20)
    assert Counter(one.state for one in recorded) == {
        State.RUNNING: 12,
        State.PENDING: 4,
        State.COMPLETED: 4,
    }
    assert all(may_be_of(one.user, one.session_id) for one in recorded)
    jobs = parse_squeue("".join(one.line for one in recorded), Asked("", "", "", hours=8), True)
    assert jobs.owners == {one.job: one.user for one in recorded if one.line}
    assert len(jobs.known) == 16 and not jobs.unclear


def test_what_tls_costs_alone_is_measured_with_the_gateways_own() -> None:
    tls = TLSAlone()
    assert tls.cipher.startswith("TLSv1.3 TLS_")
    assert tls.seconds_per_gb(300_000, 2) > 0 and tls.seconds_per_gb(1, 2) > 0
