"""Places in a user's unpacked copy of an image for what is shown of the node."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from moonlight_spawner.agent.desktop.changes import ChangesFailed, make_mount_points
from moonlight_spawner.agent.desktop.container import Apptainer


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    path = tmp_path / "sandbox"
    (path / "usr").mkdir(parents=True)
    return path


def make(sandbox: Path, *binds: str) -> None:
    runtime = Path("/tmp/moonlight-x")
    make_mount_points(Apptainer("/i.sif", runtime, "/home/alice", binds=binds), sandbox)


def test_each_is_what_it_shows(sandbox: Path) -> None:
    for _ in range(2):
        make(sandbox, "/usr/share", "/etc/hostname:/site/name:ro", "/etc:/site/etc")
        assert (sandbox / "site/name").is_file() and (sandbox / "site/etc").is_dir()
        places = ("home/alice", "tmp/moonlight-x", "tmp/.X11-unix", "usr/share")
        assert all((sandbox / place).is_dir() for place in places)


def test_links_of_the_image_lead_to_places_in_the_image(sandbox: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (sandbox / "away").symlink_to(outside)
    (sandbox / "up").symlink_to("../../../opt")
    (sandbox / "usr/beside").symlink_to("local/x")
    make(sandbox, "/etc:/away/a", "/etc:/up/b", "/etc:/usr/beside/c")
    assert not list(outside.iterdir()), "the image names a place of its own, not the node's"
    for place in (f"{outside}/a".lstrip("/"), "opt/b", "usr/local/x/c"):
        assert (sandbox / place).is_dir()


def test_a_link_that_leads_to_itself_is_told(sandbox: Path) -> None:
    (sandbox / "round").symlink_to("round")
    with pytest.raises(ChangesFailed, match="/round/a cannot be shown in your copy"):
        make(sandbox, "/etc:/round/a")


def test_a_file_in_the_way_is_told_with_what_to_do(sandbox: Path) -> None:
    (sandbox / "opt").write_text("")
    with pytest.raises(ChangesFailed, match=r"/opt/a cannot be shown.*Make it, or rename"):
        make(sandbox, f"{os.sep}etc:/opt/a")
