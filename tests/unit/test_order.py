"""The order in which several workers take the files of the suite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.order import pytest_collection_modifyitems


@dataclass(frozen=True)
class Item:
    path: Path
    name: str
    fixturenames: tuple[str, ...] = ()


def ordered(*items: Item) -> list[str]:
    found: list[Any] = list(items)
    pytest_collection_modifyitems(found)
    assert sorted(map(str, found)) == sorted(map(str, items)), "none is lost"
    return [item.name for item in found]


def test_what_waits_alternates_with_what_computes_and_the_short_ones_come_last() -> None:
    assert ordered(
        Item(Path("unit.py"), "unit"),
        Item(Path("desktop.py"), "desktop", ("tmp_path", "launch")),
        Item(Path("sound.py"), "sound", ("launch",)),
        Item(Path("keyboard.py"), "keyboard", ("running",)),
        Item(Path("jobs.py"), "jobs", ("slurm_cluster",)),
        # With its own browser before a Slurm it waits for the Slurm.
        Item(Path("page.py"), "page", ("browser", "slurm_cluster")),
    ) == ["jobs", "desktop", "page", "sound", "keyboard", "unit"]


def test_a_file_stays_together_with_its_tests_in_their_order() -> None:
    assert ordered(
        Item(Path("a.py"), "first"),
        Item(Path("b.py"), "third", ("slurm_cluster",)),
        Item(Path("a.py"), "second", ("launch",)),
        Item(Path("b.py"), "fourth"),
    ) == ["third", "fourth", "first", "second"]
