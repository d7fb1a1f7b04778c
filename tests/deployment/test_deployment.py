"""The document for a portal's administrators cannot lie: it is followed."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.waiting import PATIENCE

from . import world
from .document import phases


@pytest.fixture
def followed_document() -> subprocess.CompletedProcess[str]:
    return world.run("tests.deployment.walk", PATIENCE)


def test_each_phase_has_its_check_and_its_way_back() -> None:
    found = phases()
    assert [phase.title[:2] for phase in found] == ["Be", "A.", "B.", "C.", "D.", "E."]
    for phase in found:
        assert phase.way_back, phase.title
        assert phase.check or phase.title == "Before", phase.title


def test_it_gives_a_portal_with_two_users_and_its_way_back_leaves_nothing(
    followed_document: subprocess.CompletedProcess[str],
) -> None:
    """With real nginx, Redis, Slurm and sudo."""
    said = followed_document.stdout
    assert followed_document.returncode == 0 and said.endswith("all the way back\n"), said[-6000:]
