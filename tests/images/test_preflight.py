"""What has to be in order first; everything that is not is told at once."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from moonlight_spawner.image_build import preflight
from moonlight_spawner.image_build.failures import NotReady
from moonlight_spawner.image_build.preflight import GIB

from .conftest import Builder

Usage = namedtuple("Usage", "total used free")


def test_no_apptainer_is_told_with_where_to_get_it(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NotReady, match=r"apptainer is not found on PATH.*EPEL.*--apptainer"):
        builder.build("desktop")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("apptainer version 1.1.9-1.el9", "is version 1.1; 1.2 or newer is needed"),
        ("singularity-ce version 4.1.0", "does not answer like Apptainer"),
    ],
)
def test_an_apptainer_that_will_not_do_is_refused(builder: Builder, answer: str, why: str) -> None:
    (builder.standin / "version").write_text(answer)
    with pytest.raises(NotReady, match=why):
        builder.build("desktop")


@pytest.mark.parametrize("answer", ["apptainer version 1.2.0", "apptainer version 1.10.1-rc.1"])
def test_an_apptainer_with_build_arguments_will_do(builder: Builder, answer: str) -> None:
    (builder.standin / "version").write_text(answer)
    assert preflight.check_apptainer("apptainer") == []


def test_a_full_disk_is_told_before_the_build(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100 * GIB, 0, 2 * GIB))
    with pytest.raises(NotReady, match=r"has 2.0 GiB free, but the build needs 15.0 GiB"):
        builder.build("desktop")
    assert builder.did() == []


def test_a_larger_vnc_image_needs_more_room(tmp_path: Path) -> None:
    image = tmp_path / "vnc_x.sif"
    with open(image, "wb") as f:
        f.truncate(3 * GIB)
    space = preflight.space_for([image, tmp_path / "vnc_y.sif"])
    assert space == preflight.Space(5 * GIB, 16 * GIB)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    problems = preflight.check_directories(
        tmp_path / "file" / "output", tmp_path, preflight.Space(0, 0)
    )
    assert len(problems) == 1 and "Not a directory. Name another by --output-dir" in problems[0]


@pytest.mark.parametrize("name", ["with blank", "a:b", "a,b", "a{b"])
def test_a_work_directory_that_apptainer_could_not_name_is_refused(
    tmp_path: Path, name: str
) -> None:
    problems = preflight.check_directories(tmp_path, tmp_path / name, preflight.Space(0, 0))
    assert len(problems) == 1 and "--work-dir" in problems[0]


def machine(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def ordinary(monkeypatch: pytest.MonkeyPatch) -> str:
    """This process takes itself for the user `nobody`."""
    import pwd

    uid = pwd.getpwnam("nobody").pw_uid
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/fakeroot")
    return "nobody"


def test_root_needs_no_user_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    root = machine(tmp_path, proc__sys__user__max_user_namespaces="0\n")
    assert preflight.check_rights(root) == ([], [])


@pytest.mark.parametrize(
    ("setting", "remedy"),
    [
        ("proc__sys__user__max_user_namespaces", "sysctl -w user.max_user_namespaces=15000"),
        ("proc__sys__kernel__unprivileged_userns_clone", "kernel.unprivileged_userns_clone=1"),
    ],
)
def test_switched_off_user_namespaces_stop_an_ordinary_user(
    tmp_path: Path, ordinary: str, setting: str, remedy: str
) -> None:
    (problem,), _ = preflight.check_rights(machine(tmp_path, **{setting: "0\n"}))
    assert remedy in problem


def test_a_range_of_ids_is_enough(tmp_path: Path, ordinary: str) -> None:
    line = f"{ordinary}:100000:65536\n"
    root = machine(tmp_path, etc__subuid=line, etc__subgid=line)
    assert preflight.check_rights(root) == ([], [])


def test_without_a_range_fakeroot_is_used_and_told(tmp_path: Path, ordinary: str) -> None:
    problems, (note,) = preflight.check_rights(machine(tmp_path, etc__subuid="alice:1:2\n"))
    assert problems == [] and "config fakeroot --add nobody" in note


def test_without_range_and_fakeroot_nothing_can_be_installed(
    tmp_path: Path, ordinary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    (problem,), _ = preflight.check_rights(tmp_path)
    assert "packages could not be installed" in problem


def test_apparmors_restriction_is_a_note(tmp_path: Path, ordinary: str) -> None:
    line = f"{ordinary}:100000:65536\n"
    restriction = "proc__sys__kernel__apparmor_restrict_unprivileged_userns"
    root = machine(tmp_path, etc__subuid=line, etc__subgid=line, **{restriction: "1\n"})
    problems, (note,) = preflight.check_rights(root)
    assert problems == [] and "AppArmor" in note


@pytest.mark.parametrize(
    ("owner", "group", "why"),
    [
        ("no-such-user", None, "There is no user no-such-user"),
        (None, "no-such-group", "There is no group no-such-group"),
    ],
)
def test_an_owner_that_does_not_exist_is_refused(
    builder: Builder, owner: str | None, group: str | None, why: str
) -> None:
    words = ["--owner", owner] if owner else ["--group", str(group)]
    with pytest.raises(NotReady, match=why):
        builder.build("desktop", *words)


def test_only_root_gives_images_away(ordinary: str) -> None:
    with pytest.raises(ValueError, match="Only root can give an image to user root"):
        preflight.owner_ids("root", None)
    with pytest.raises(ValueError, match="not in group 4242"):
        preflight.owner_ids(None, "4242")


def test_all_problems_are_told_at_once(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100, 0, 0))
    (builder.standin / "version").write_text("apptainer version 1.0.0")
    with pytest.raises(NotReady) as told:
        builder.build("--all", "--owner", "no-such-user", "--apt-mirror", "ftp://mirror")
    assert len(told.value.problems) == 5, told.value.problems


@pytest.mark.parametrize("mirror", ["ftp://x/", 'http://x/"; rm -rf /; "', "http://x/{{ A }}"])
def test_a_mirror_that_is_no_plain_address_is_refused(builder: Builder, mirror: str) -> None:
    # It becomes part of a shell script.
    with pytest.raises(NotReady, match="must be an http or https address"):
        builder.build("desktop", "--apt-mirror", mirror)


def test_lsprepost_is_asked_for_and_never_fetched(builder: Builder) -> None:
    with pytest.raises(NotReady, match="--lsprepost FILE"):
        builder.build("gnome_lsprepost")
    with pytest.raises(NotReady, match="is not a file"):
        builder.build("gnome_lsprepost", "--lsprepost", str(builder.home))
