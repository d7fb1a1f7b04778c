"""Where a session's files may be, and a file's name where the file system has no hard links."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from moonlight_spawner.agent.entrance import _places
from moonlight_spawner.agent.transfers.incoming import Coming, Part
from moonlight_spawner.agent.transfers.places import Places
from moonlight_spawner.agent.transfers.refusals import Refused
from moonlight_spawner.model.records import ImageOptions
from moonlight_spawner.site.options import MoonlightSite
from traitlets import TraitError

from .desk import spec


def test_the_places_are_those_of_the_desktops_own_home_and_of_the_sites_list(
    tmp_path: Path,
) -> None:
    (tmp_path / "scratch" / "alice").mkdir(parents=True)
    (tmp_path / "alice_.home").mkdir()
    env = {"HOME": str(tmp_path), "USER": "alice"}
    listed = [str(tmp_path / "scratch" / "{user}"), str(tmp_path / "missing")]
    options = ImageOptions(home="private", sandboxes_dir=str(tmp_path))
    told = spec("ml-alice-aaaaaaaaaa").model_copy(
        update={"files_folders": listed, "image": options}
    )
    names = [place["name"] for place in _places(told, env).about()]
    assert names == ["~", str(tmp_path / "scratch" / "alice")]
    (tmp_path / "Desktop").mkdir()
    assert _places(told, env).usual() == "~/Desktop", "without an image it is the user's own home"
    in_image = told.model_copy(update={"image_path": "/images/a.sif"})
    assert _places(in_image, env).usual() == "~"


def test_the_list_has_absolute_paths() -> None:
    with pytest.raises(TraitError, match="absolute"):
        MoonlightSite(files_folders=["scratch"])


def test_without_hard_links_a_name_that_is_taken_is_left_alone_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "as FAT says")

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "a.txt").write_text("mine")
    coming = Coming.of("~", b"a.txt", 3, "")
    part = Part(coming, os.open(tmp_path, os.O_RDONLY), 0o077)
    part.write(b"new", 0)
    assert part.finish() == b"a (2).txt"
    part.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.txt": "mine",
        "a (2).txt": "new",
    }


@pytest.mark.parametrize("put", ["a link", "a folder"])
def test_what_takes_a_new_folders_place_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: str
) -> None:
    """As another user may do who may write there, between two steps."""
    private, shared = tmp_path / "private", tmp_path / "shared"
    for folder in (private, shared):
        folder.mkdir(0o700)
    (private / "key").write_text("mine")
    make = os.mkdir

    def mkdir(name: bytes, *words: Any, **more: Any) -> None:
        make(name, *words, **more)
        os.rename(shared / "new", tmp_path / "away")
        if put == "a link":
            (shared / "new").symlink_to(private)
        else:
            private.rename(shared / "new")

    monkeypatch.setattr(os, "mkdir", mkdir)
    with contextlib.suppress(Refused):
        Places(tmp_path).make("~/shared", ["new"], 0o022)
    monkeypatch.undo()
    assert stat.S_IMODE((shared / "new").stat().st_mode) == 0o700


def test_a_new_folder_has_the_users_mode_and_its_parents_group_bit(tmp_path: Path) -> None:
    tmp_path.chmod(0o2775)
    Places(tmp_path).make("~", ["a", "b"], 0o002)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")]
    assert modes == [0o2775, 0o2775]
