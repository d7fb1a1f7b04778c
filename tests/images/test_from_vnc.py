"""From an existing VNC image: it is read, and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from moonlight_spawner.image_build import publish
from moonlight_spawner.image_build.failures import BuildFailed, NotReady
from moonlight_spawner.image_build.recipe import recipes

from .conftest import DEFINITIONS, SIF, Builder, asking


def everything_about(path: Path) -> tuple[object, ...]:
    info = path.stat()
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return (content, info.st_mode, info.st_mtime_ns, info.st_ctime_ns, info.st_ino, info.st_uid)


def test_it_is_unpacked_added_to_and_packed(builder: Builder) -> None:
    assert builder.build("desktop", "--from-vnc", str(builder.vnc)) == 0, builder.text
    assert builder.did() == [
        "unpack", "install-packages", "install-streaming", "clean-up", "pack",
        "sunshine", "ldd", "selftest",
    ]  # fmt: skip
    contents = json.loads(builder.image().read_bytes()[len(SIF) :])
    assert contents["added"] == [
        "clean-up", "install-packages none base", "install-streaming auto",
    ]  # fmt: skip


def test_the_vnc_images_are_untouched(builder: Builder) -> None:
    before = {p: everything_about(p) for p in builder.vnc.iterdir()}
    assert builder.build("gnome", "--from-vnc", str(builder.vnc)) == 0
    assert {p: everything_about(p) for p in builder.vnc.iterdir()} == before
    for argv in builder.calls():
        if any(Path(word).name.startswith("vnc_") for word in argv) and not asking(argv):
            assert argv[:-2] == ["build", "--fix-perms", "--sandbox"]
            assert Path(argv[-2]).name == "sandbox"


def test_they_are_untouched_when_both_lie_in_one_directory(builder: Builder) -> None:
    vnc = builder.vnc / "vnc_desktop.sif"
    before = everything_about(vnc)
    words = ("desktop", "--from-vnc", str(builder.vnc), "--output-dir", str(builder.vnc))
    assert builder.build(*words) == 0
    assert everything_about(vnc) == before
    assert (builder.vnc / "sunshine_desktop.sif").exists()


def test_a_vnc_image_that_changes_meanwhile_spoils_the_build(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    vnc = builder.vnc / "vnc_desktop.sif"
    from moonlight_spawner.image_build import build

    real = build.try_image

    def try_image(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        vnc.chmod(0o600)

    monkeypatch.setattr(build, "try_image", try_image)
    old = builder.old_image()
    assert builder.build("desktop", "--from-vnc", str(builder.vnc)) == 1
    assert "was changed while it was read" in builder.text
    assert old.read_bytes() == SIF + b"the old one"


def test_replacing_it_by_another_file_is_noticed_too(tmp_path: Path) -> None:
    path = tmp_path / "vnc_desktop.sif"
    path.write_bytes(b"one")
    with pytest.raises(BuildFailed, match="was changed"), publish.untouched(path):
        (tmp_path / "new").write_bytes(b"one")
        os.replace(tmp_path / "new", path)


def test_nothing_but_a_sunshine_image_is_ever_replaced(tmp_path: Path) -> None:
    built, vnc = tmp_path / "built", tmp_path / "vnc_desktop.sif"
    built.write_bytes(b"new")
    vnc.write_bytes(b"old")
    with pytest.raises(BuildFailed, match=r"is not a sunshine_\*\.sif"):
        publish.put_in_place(built, vnc, -1, -1)
    assert vnc.read_bytes() == b"old"


def test_a_catalogue_cannot_name_a_vnc_image_as_the_result(tmp_path: Path) -> None:
    entry = {"images": [{"id": "x", "file": "vnc_x.sif"}]}
    (tmp_path / "catalog.json").write_text(json.dumps(entry))
    with pytest.raises(ValueError, match=r"'vnc_x\.sif', but must be called sunshine_"):
        recipes(tmp_path)


def test_the_catalogues_images_come_from_the_vnc_images_of_the_same_name() -> None:
    assert [(r.file, r.vnc_file) for r in recipes(DEFINITIONS)] == [
        ("sunshine_desktop.sif", "vnc_desktop.sif"),
        ("sunshine_gnome.sif", "vnc_gnome.sif"),
        ("sunshine_gnome_lsprepost.sif", "vnc_gnome_lsprepost.sif"),
        ("sunshine_mate.sif", "vnc_mate.sif"),
        ("sunshine_kde.sif", "vnc_kde.sif"),
    ]


def test_a_missing_vnc_image_is_told_before_anything_is_done(builder: Builder) -> None:
    with pytest.raises(NotReady, match=r"vnc_gnome_lsprepost\.sif does not exist.*from scratch"):
        builder.build("--all", "--from-vnc", str(builder.vnc))
    assert builder.did() == []
