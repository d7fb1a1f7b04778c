"""A build from scratch: what is called, what is left, and what a failure leaves alone."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from moonlight_spawner.image_build.failures import BuildFailed, NotReady
from moonlight_spawner.image_build.publish import identity
from moonlight_spawner.image_build.state import Work
from moonlight_spawner.model.errors import NotFound

from .conftest import SIF, Builder, asking, build_images, parsed

SCRATCH = ["build", "sunshine", "ldd", "selftest"]


def test_an_image_is_built_tried_and_put_in_place(builder: Builder) -> None:
    assert builder.build("desktop") == 0, builder.text
    assert builder.did() == SCRATCH
    image = builder.image()
    assert image.read_bytes().startswith(SIF)
    assert stat.S_IMODE(image.stat().st_mode) == 0o644
    assert os.listdir(builder.output) == [image.name]
    assert f"ready: {image}" in builder.text


def test_every_step_is_told_with_its_number(builder: Builder) -> None:
    builder.build("desktop")
    for number, title in enumerate(("Get and check", "Build from", "Try the image", "Put it"), 1):
        assert f"sunshine_desktop  [{number}/4] {title}" in builder.text


def test_definitions_get_the_values_they_ask_for_and_no_other(builder: Builder) -> None:
    # The stand-in ends with Apptainer's own fatal error for an unused or a missing argument.
    archive = builder.home / "lsprepost.tar.gz"
    archive.write_bytes(b"licensed")
    assert builder.build("--all", "--lsprepost", str(archive)) == 0, builder.text
    for name in ("desktop", "gnome", "gnome_lsprepost"):
        definition = json.loads(builder.image(name).read_bytes()[len(SIF) :])["definition"]
        assert "{{" not in definition
        assert f"From: {builder.offline}/ubuntu-24.04.sif" in definition
        assert "org.moonlight-hpc.sunshine 2026.914.233613" in definition


def test_without_a_local_base_the_distributions_image_is_taken_by_its_tag(
    builder: Builder,
) -> None:
    builder.build("desktop", "--dry-run", "--base", "/nowhere.sif")
    assert "BASE=/nowhere.sif" in builder.text and "BOOTSTRAP=localimage" in builder.text
    words = [w for w in builder.options("desktop", "--dry-run") if w != "--offline"]
    words.remove(str(builder.offline))
    builder.said.clear()
    build_images(parsed(words), builder.said.append)
    assert "BOOTSTRAP=docker" in builder.text and "BASE=ubuntu:24.04 " in builder.text


@pytest.mark.parametrize("name", ["desktop", "sunshine_desktop", "sunshine_desktop.sif"])
def test_an_image_is_named_by_id_or_file(builder: Builder, name: str) -> None:
    builder.build(name, "--dry-run")
    assert f"# desktop: {builder.image()}" in builder.text


def test_an_unknown_image_is_refused_with_the_known_ones(builder: Builder) -> None:
    with pytest.raises(
        NotFound, match=r"no image vnc_desktop\.sif .* desktop, gnome, gnome_lsprepost"
    ):
        builder.build("vnc_desktop.sif")


def test_without_a_name_nothing_is_built(builder: Builder) -> None:
    with pytest.raises(NotReady, match="--all"):
        builder.build()


FAILURES = [
    ("scratch", 3, r"status 255\..*words: FATAL:.*while running %post section: exit status 3"),
    ("scratch", "nothing", "said it was done, but there is no"),
    ("sunshine", 1, "`sunshine --version` in the image ended with status 1"),
    ("sunshine", "old", "should have Sunshine 2026.914.233613.*v2025.1.1"),
    ("ldd", "missing", "libraries are missing in the image: libminiupnpc.so.17"),
    ("selftest", 1, "ended with status 1 instead of running"),
    ("selftest", "exit", "ended with status 0 instead of running.*Couldn't bind"),
    ("selftest", "no-encoder", "no display or no encoder"),
]


@pytest.mark.parametrize(("step", "how", "said"), FAILURES)
def test_a_failure_is_explained_and_leaves_the_old_image(
    builder: Builder, step: str, how: object, said: str
) -> None:
    old = builder.old_image()
    before = identity(old)
    builder.fail(**{step: how})
    assert builder.build("desktop") == 1
    assert re.search(said, builder.text, re.DOTALL), builder.text
    assert old.read_bytes() == SIF + b"the old one"
    assert identity(old) == before
    assert "is as it was" in builder.text
    (log,) = (builder.work / "logs").iterdir()
    assert str(log) in builder.text
    assert "The same call goes on where it stopped" in builder.text
    half = [name for name in os.listdir(builder.output) if name != old.name]
    assert half == ([] if step == "scratch" else [f".{old.name}.building"])


def test_one_image_that_fails_does_not_keep_the_next_from_being_built(builder: Builder) -> None:
    (builder.vnc / "vnc_gnome.sif").unlink()
    (builder.vnc / "vnc_gnome.sif").write_bytes(b"no image")
    assert builder.build("gnome", "desktop", "--from-vnc", str(builder.vnc)) == 1
    assert not builder.image("gnome").exists() and builder.image("desktop").exists()
    assert "Not built: gnome." in builder.text


def test_the_rename_is_the_last_thing_that_happens(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = builder.old_image()
    seen = []
    real = os.replace

    def replace(source: Path, target: Path, **within: int) -> None:
        if str(target).endswith(".sif"):
            seen.append((old.read_bytes(), stat.S_IMODE(os.stat(source).st_mode)))
            assert os.path.dirname(source) == os.path.dirname(target)
        real(source, target, **within)

    monkeypatch.setattr(os, "replace", replace)
    assert builder.build("desktop") == 0
    assert seen == [(SIF + b"the old one", 0o644)]


def test_a_session_that_runs_the_old_image_keeps_it(builder: Builder) -> None:
    with open(builder.old_image(), "rb") as running:
        builder.build("desktop")
        assert running.read() == SIF + b"the old one"


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_only_a_regular_file_is_replaced(builder: Builder, kind: str) -> None:
    builder.output.mkdir()
    elsewhere = builder.home / "elsewhere.sif"
    elsewhere.write_bytes(b"mine")
    if kind == "link":
        builder.image().symlink_to(elsewhere)
    else:
        builder.image().mkdir()
    assert builder.build("desktop") == 1
    assert "is not a regular file" in builder.text
    assert elsewhere.read_bytes() == b"mine"


def test_owner_and_group_are_set(builder: Builder) -> None:
    me, mine = os.geteuid(), os.getegid()
    assert builder.build("desktop", "--owner", str(me), "--group", str(mine)) == 0
    info = builder.image().stat()
    assert (info.st_uid, info.st_gid) == (me, mine)


def test_everything_made_on_the_way_is_private_and_goes(builder: Builder) -> None:
    os.umask(os.umask(0o022))
    assert builder.build("desktop") == 0
    assert stat.S_IMODE(builder.work.stat().st_mode) == 0o700
    assert list((builder.work / "sunshine_desktop").iterdir()) == []
    for line in (builder.standin / "calls").read_text().splitlines():
        call = json.loads(line)
        if asking(call["argv"]):
            assert (call["tmp"] or str(builder.work)).startswith(str(builder.work))
        else:
            assert call["tmp"].startswith(str(builder.work / "sunshine_desktop" / "tmp-"))


def test_what_a_user_binds_into_his_containers_does_not_get_into_an_image(
    builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("APPTAINER_BIND", "APPTAINER_BINDPATH", "APPTAINERENV_X", "SINGULARITY_BIND"):
        monkeypatch.setenv(name, "/secret")
    assert builder.build("desktop") == 0
    calls = [json.loads(x) for x in (builder.standin / "calls").read_text().splitlines()]
    for call in calls:
        if call["argv"] != ["--version"]:
            assert call["environment"] == ["APPTAINER_TMPDIR"]


def test_a_dry_run_prints_the_commands_and_touches_nothing(builder: Builder) -> None:
    assert builder.build("desktop", "--dry-run") == 0
    assert builder.calls() == []
    assert not builder.output.exists() and not builder.work.exists()
    assert f"--build-arg CONTEXT={builder.work}/sunshine_desktop/context" in builder.text
    assert "sunshine_desktop.def" in builder.text
    assert "sha256" in builder.text


def test_a_dry_run_tells_what_would_stop_the_build(builder: Builder) -> None:
    assert builder.build("--all", "--dry-run") == 0
    assert "# would stop: The image with LS-PrePost needs your copy" in builder.text


def test_two_builds_do_not_share_a_work_directory(builder: Builder) -> None:
    other = Work(builder.work)
    other.make()
    with other.locked(), pytest.raises(BuildFailed, match="Another build uses"):
        builder.build("desktop")
